// Buttons and links that look like them.
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { classes } from "./classes";

type Look = "plain" | "primary" | "quiet" | "danger";
type Size = "normal" | "small";

const LOOKS: Record<Look, string> = {
  plain: "border-line-strong bg-surface hover:bg-raised text-text",
  primary: "border-transparent bg-accent-fill text-accent-ink hover:brightness-110 font-medium",
  quiet: "border-transparent bg-transparent hover:bg-raised text-soft hover:text-text",
  danger: "border-line-strong bg-surface text-bad hover:bg-bad-wash",
};
/** On a phone both are as high as a finger needs. */
const SIZES: Record<Size, string> = {
  normal: "h-8 px-3 gap-2 max-md:h-10 max-md:min-w-10",
  small: "h-6 px-2 gap-1.5 text-sm max-md:h-10 max-md:min-w-10 max-md:px-3",
};

/** How a button looks, for links. */
export function buttonLook(look: Look = "plain", size: Size = "normal"): string {
  return classes(
    "inline-flex shrink-0 select-none items-center justify-center whitespace-nowrap rounded-md border transition-colors duration-100",
    "disabled:pointer-events-none disabled:opacity-45",
    LOOKS[look],
    SIZES[size],
  );
}

type Props = ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; size?: Size; children: ReactNode };

export function Button({ look, size, className, type = "button", ...rest }: Props) {
  return <button type={type} className={classes(buttonLook(look, size), className)} {...rest} />;
}

type IconProps = Omit<Props, "children"> & { label: string; icon: ReactNode; pressed?: boolean };

/** A button with a picture only; its name is read out and shown on hover. */
export function IconButton({ label, icon, look = "quiet", size = "normal", pressed, className, ...rest }: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      className={classes(
        buttonLook(look, size),
        size === "small" ? "w-6 px-0! max-md:w-10" : "w-8 px-0! max-md:w-10",
        pressed && "bg-raised text-text",
        className,
      )}
      {...rest}
    >
      {icon}
    </button>
  );
}
