// Fields of forms: a label, what is typed, and what is wrong with it.
import type { InputHTMLAttributes, ReactNode, SelectHTMLAttributes, TextareaHTMLAttributes } from "react";
import { useId } from "react";
import { classes } from "./classes";

const BOX =
  "w-full rounded-md border border-line-strong bg-surface px-2.5 text-text hover:border-faint focus:border-accent aria-invalid:border-bad";

type LabelProps = { label: string; hint?: ReactNode; error?: string | undefined; className?: string };
type FieldProps = LabelProps & { children: (ids: { id: string; describedBy: string | undefined }) => ReactNode };

export function Field({ label, hint, error, className, children }: FieldProps) {
  const id = useId();
  const about = error ?? hint;
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block font-medium text-soft">
        {label}
      </label>
      {children({ id, describedBy: about ? `${id}-about` : undefined })}
      {about && (
        <p id={`${id}-about`} className={classes("mt-1 text-sm", error ? "text-bad" : "text-faint")}>
          {about}
        </p>
      )}
    </div>
  );
}

export function TextField({
  label,
  hint,
  error,
  className,
  ...rest
}: LabelProps & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Field label={label} hint={hint} error={error} className={className}>
      {({ id, describedBy }) => (
        <input
          id={id}
          aria-describedby={describedBy}
          aria-invalid={error !== undefined}
          className={classes(BOX, "h-8 max-md:h-10")}
          {...rest}
        />
      )}
    </Field>
  );
}

export function TextArea({
  label,
  hint,
  error,
  className,
  ...rest
}: LabelProps & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field label={label} hint={hint} error={error} className={className}>
      {({ id, describedBy }) => (
        <textarea
          id={id}
          aria-describedby={describedBy}
          aria-invalid={error !== undefined}
          className={classes(BOX, "py-1.5")}
          {...rest}
        />
      )}
    </Field>
  );
}

export function SelectField({
  label,
  hint,
  error,
  className,
  ...rest
}: LabelProps & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Field label={label} hint={hint} error={error} className={className}>
      {({ id, describedBy }) => (
        <select
          id={id}
          aria-describedby={describedBy}
          aria-invalid={error !== undefined}
          className={classes(BOX, "h-8 max-md:h-10")}
          {...rest}
        />
      )}
    </Field>
  );
}

/** A field without a visible label, as for searching; its name is read out. */
export function bareField(extra?: string): string {
  return classes(BOX, "h-8 max-md:h-10", extra);
}
