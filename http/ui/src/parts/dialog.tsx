// A window over the page: keeps the focus, closes with Esc or a click beside it, gives the focus back.
import { X } from "lucide-react";
import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { IconButton } from "./button";
import { classes } from "./classes";

type Props = {
  title: string;
  onClose: () => void;
  children: ReactNode;
  foot?: ReactNode;
  wide?: boolean;
  isSheet?: boolean;
};

export function Dialog({ title, onClose, children, foot, wide, isSheet }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Closed while it is still there: only then does the browser give the focus back to what opened it.
  useLayoutEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    // A dialog that asks something is ready to be typed into.
    element?.querySelector<HTMLElement>("input, textarea, select")?.focus();
    return () => element?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc is the dialog's own key; a click beside it is only in addition.
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
      className={classes(
        "max-h-[85dvh] overflow-hidden border border-line-strong bg-surface text-text shadow-2xl",
        isSheet
          ? "mx-0 mt-auto mb-0 w-full max-w-full rounded-t-md border-x-0 border-b-0 pb-[env(safe-area-inset-bottom)]"
          : "w-[calc(100vw-24px)] rounded-md",
        !isSheet && (wide ? "max-w-4xl" : "max-w-xl"),
      )}
    >
      <div className="flex max-h-[85dvh] flex-col">
        <header className="flex shrink-0 items-center justify-between border-line border-b py-2 pr-2 pl-4">
          <h2 id={heading} className="font-semibold text-lg">
            {title}
          </h2>
          <IconButton label="Close" icon={<X size={16} aria-hidden />} onClick={onClose} />
        </header>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
        <div tabIndex={0} className="min-h-0 overflow-y-auto p-4 focus-visible:-outline-offset-2">
          {children}
        </div>
        {foot && (
          <footer className="flex shrink-0 items-center justify-end gap-2 border-line border-t px-4 py-3">
            {foot}
          </footer>
        )}
      </div>
    </dialog>
  );
}
