// Notices of the browser about questions that are about to expire: each question once, and only to whoever allowed it.
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Approval } from "@/api/types";
import { useNow } from "@/format/use-now";

/** A question with less time left is told of. */
export const SOON_MS = 300_000;

/** Questions that are about to expire and were not told of. Pure. */
export function expiring(open: Approval[], now: number, told: ReadonlySet<string>): Approval[] {
  return open.filter((ask) => {
    const leftMs = ask.expires_at_us / 1_000 - now;
    return ask.state === "open" && leftMs > 0 && leftMs < SOON_MS && !told.has(ask.id);
  });
}

const canNotify = () => "Notification" in window && window.isSecureContext;

const told = new Set<string>();

/** What a notice says of a question. Pure. */
export function noticeOf({ question, gateway, expires_at_us }: Approval, now: number): { title: string; body: string } {
  const minutes = Math.ceil((expires_at_us / 1_000 - now) / 60_000);
  const title = `${question.agent ?? "An agent"} of ${gateway} waits ${minutes} min more`;
  return { title, body: question.command.slice(0, 200) };
}

/** Tells of questions that are about to expire; whoever clicks is brought to the question. */
export function useExpiryNotices(open: Approval[]): void {
  const now = useNow();
  const navigate = useNavigate();
  useEffect(() => {
    if (!canNotify() || Notification.permission !== "granted") return;
    for (const ask of expiring(open, now, told)) {
      told.add(ask.id);
      const { title, body } = noticeOf(ask, now);
      // The tag makes one notice of those of several windows.
      const notice = new Notification(title, { body, tag: ask.id });
      notice.onclick = () => {
        window.focus();
        void navigate({ to: "/approvals", search: { ask: ask.id } });
      };
    }
  }, [open, now, navigate]);
}

/** Whether the browser may be asked for leave to notify, and how. */
export function useNoticePermission(): { canAsk: boolean; ask: () => void } {
  const [permission, setPermission] = useState(() => (canNotify() ? Notification.permission : "denied"));
  return {
    canAsk: permission === "default",
    ask: () => void Notification.requestPermission().then(setPermission),
  };
}
