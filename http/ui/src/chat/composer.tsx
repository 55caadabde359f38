// The field one types in: sends, stops, edits and asks again, puts text in. What was typed survives a reload.
import { useMutation } from "@tanstack/react-query";
import { Send, Square, X } from "lucide-react";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { freshKey } from "@/api/client";
import { commandsOf } from "@/gateways/answers";
import { useRead } from "@/gateways/use-reads";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { Button, IconButton } from "@/parts/button";
import { ProblemNotice } from "@/parts/problem-notice";
import { keepText, keptText } from "./kept";
import { completions, isCommand, type Mode, sending } from "./sending";
import { talk } from "./talk";

/** As a gateway takes it with room to spare; the server bounds a request, too. */
const TEXT_CHARS_MAX = 100_000;
const COMPLETIONS_MAX = 6;

/** A message that is to be asked again in other words. */
export type Editing = { text: string; entry: string | undefined; run: string };

type Props = {
  gateway: string;
  session: string;
  isConnected: boolean;
  /** The turns that go on. */
  going: readonly string[];
  levels: readonly string[];
  mayCommand: boolean;
  editing: Editing | undefined;
  onEdited: () => void;
  onSent: () => void;
  /** Whether a turn is shown already. */
  isKnown: (run: string, text: string) => boolean;
};

type Message = { key: string; text: string };

export function Composer(props: Props) {
  const { gateway, session, isConnected, going, levels, mayCommand, editing, onEdited, onSent, isKnown } = props;
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => keptText(gateway, session));
  const [mode, setMode] = useState<Mode>("say");
  const [thinking, setThinking] = useState("");
  const [sent, setSent] = useState<Message>();
  // The same message has the same key, so that sending it again after a lost answer asks once.
  const key = useRef<Message>({ key: "", text: "" });
  /** The entry the agent went back to, of which nothing was asked yet. */
  const rewound = useRef<string>(undefined);
  const change = (next: string) => {
    setText(next);
    keepText(gateway, session, next);
  };
  useEffect(() => {
    if (!editing) return;
    setText(editing.text);
    setMode("say");
    field.current?.focus();
  }, [editing]);
  const send = useMutation({
    mutationFn: async (message: Message) => {
      if (mode === "inject") return await talk(gateway, "chat.inject", { sessionKey: session, message: message.text });
      if (editing?.entry && rewound.current !== editing.entry && mayCommand && !isCommand(message.text)) {
        await talk(gateway, "sessions.rewind", { sessionKey: session, entryId: editing.entry });
        // Sent again after this, it must not go back once more.
        rewound.current = editing.entry;
      }
      return await talk(gateway, "chat.send", {
        sessionKey: session,
        message: message.text,
        idempotencyKey: message.key,
        ...(thinking && { thinking }),
      });
    },
    onSuccess: (_, message) => {
      if (mode === "say") setSent(message);
      // The same words again are another message.
      key.current = { key: "", text: "" };
      change("");
      onEdited();
      onSent();
    },
  });
  const stop = useMutation({
    mutationFn: () => talk(gateway, "chat.abort", { sessionKey: session }),
    onSettled: onSent,
  });
  const commands = useRead(gateway, "commands.list", { scope: "text" }, commandsOf, mayCommand && isCommand(text));
  const fits = completions(text, commands.data ?? [], COMPLETIONS_MAX);
  const isBusy = going.length > 0;
  const state = sending({
    text,
    mode,
    isConnected,
    mayCommand,
    isBusy,
    isEditing: editing !== undefined,
    hasEntry: editing?.entry !== undefined,
  });
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!state.isReady || send.isPending) return;
    const said = text.trim();
    if (key.current.text !== said) key.current = { key: freshKey(), text: said };
    send.mutate(key.current);
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Escape") field.current?.blur();
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };
  useShortcuts("This conversation", [
    { keys: "c", about: "Write a message", run: () => field.current?.focus() },
    { keys: "s", about: "Stop the agent", run: () => isBusy && stop.mutate() },
  ]);
  return (
    <form
      onSubmit={submit}
      aria-label="Message"
      className="flex shrink-0 flex-col gap-2 border-line border-t bg-surface p-3"
    >
      {sent && !isKnown(sent.key, sent.text) && (
        <p role="status" className="break-words text-faint">
          Sent, not heard of yet: {sent.text.slice(0, 200)}
        </p>
      )}
      {editing && (
        <p className="flex items-center gap-2 text-soft">
          Asking again in other words
          <IconButton
            size="small"
            label="Leave it as it was"
            icon={<X size={13} aria-hidden />}
            onClick={() => {
              change("");
              onEdited();
            }}
          />
        </p>
      )}
      {fits.length > 0 && (
        <ul aria-label="Commands" className="flex flex-wrap gap-1">
          {fits.map((command) => (
            <li key={command}>
              <Button
                size="small"
                onClick={() => {
                  change(`${command} `);
                  field.current?.focus();
                }}
              >
                {command}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <textarea
        ref={field}
        aria-label={mode === "say" ? "Message to the agent" : "Text in the agent's mouth"}
        rows={Math.min(8, Math.max(2, text.split("\n").length))}
        maxLength={TEXT_CHARS_MAX}
        value={text}
        placeholder={mode === "say" ? "Say what is to be done" : "What is to stand there"}
        onChange={(event) => {
          send.reset();
          change(event.target.value);
        }}
        onKeyDown={press}
        className="w-full resize-none rounded-md border border-line-strong bg-ground px-3 py-2 focus:border-accent"
      />
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" look="primary" disabled={!state.isReady || send.isPending}>
          <Send size={13} aria-hidden /> {send.isPending ? "Sending…" : mode === "say" ? "Send" : "Put it in"}
        </Button>
        {isBusy && (
          <Button look="danger" disabled={stop.isPending} onClick={() => stop.mutate()}>
            <Square size={12} aria-hidden /> Stop
          </Button>
        )}
        {levels.length > 1 && mode === "say" && (
          <label className="flex items-center gap-1.5 text-soft">
            Thinking
            <select
              value={thinking}
              onChange={(event) => setThinking(event.target.value)}
              className="h-7 max-md:h-10 rounded-md border border-line-strong bg-surface px-1"
            >
              <option value="">as the session has it</option>
              {levels.map((level) => (
                <option key={level}>{level}</option>
              ))}
            </select>
          </label>
        )}
        {mayCommand && !editing && (
          <Button
            size="small"
            look="quiet"
            aria-pressed={mode === "inject"}
            onClick={() => setMode(mode === "say" ? "inject" : "say")}
          >
            {mode === "say" ? "Put text in…" : "Say something instead"}
          </Button>
        )}
        <span className="min-w-0 flex-1 text-faint text-sm max-sm:basis-full">
          {state.note ?? "Enter sends, Shift+Enter begins a line"}
        </span>
      </div>
      {send.isError && <ProblemNotice error={send.error} />}
      {stop.isError && <ProblemNotice error={stop.error} />}
    </form>
  );
}
