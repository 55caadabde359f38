// What becomes of what somebody typed: a message, a command to the gateway, or text that is put in the agent's mouth. Pure.

export type Mode = "say" | "inject";

export type Sending = {
  /** Whether it may be sent. */
  isReady: boolean;
  /** What is said about it under the field. */
  note: string | undefined;
};

type Given = {
  text: string;
  mode: Mode;
  isConnected: boolean;
  /** Whether commands to the gateway may be given. */
  mayCommand: boolean;
  isBusy: boolean;
  isEditing: boolean;
  /** Whether the place of what is edited is known. */
  hasEntry: boolean;
};

export function sending({ text, mode, isConnected, mayCommand, isBusy, isEditing, hasEntry }: Given): Sending {
  const isReady = text.trim() !== "" && isConnected;
  if (!isConnected) return { isReady: false, note: "The gateway is not connected; what you type is kept." };
  if (isCommand(text) && mode === "say") {
    if (!mayCommand)
      return { isReady: false, note: "Commands to the gateway are for admins; begin with another sign." };
    return { isReady, note: "A command to the gateway itself, not to the agent." };
  }
  if (mode === "inject")
    return { isReady, note: "It will stand in the transcript as if the agent had said it; nobody answers." };
  if (isEditing && mayCommand && hasEntry) {
    return { isReady, note: "The agent forgets what was asked before and all that came after it, then this is asked." };
  }
  if (isEditing && !mayCommand)
    return { isReady, note: "It is asked as a new message; going back before it is for admins." };
  if (isEditing && isBusy)
    return { isReady: false, note: "It can go back before this once the agent is done with it." };
  if (isEditing)
    return { isReady, note: "It is asked as a new message: where it stands in the transcript is not known." };
  return { isReady, note: isBusy ? "It is at work: it hears this while it goes on." : undefined };
}

/** A gateway takes text that begins with a slash as a command. */
export function isCommand(text: string): boolean {
  return text.trimStart().startsWith("/");
}

/** Commands that begin as what was typed. */
export function completions(text: string, commands: readonly string[], most: number): string[] {
  const typed = text.trimStart();
  if (!isCommand(typed) || /\s/.test(typed)) return [];
  return commands.filter((command) => command.startsWith(typed.toLowerCase())).slice(0, most);
}
