// Who did something, as people say it. Pure.

/** The name alone for a person, as `user:ada`; programs are called what they are. */
export function actorName(actor: string): string {
  return actor.replace(/^user:/, "");
}
