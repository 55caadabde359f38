// Who did something, as people say it. Pure.

/** The name alone for a person, as `user:ada`; a rule is said to be one; programs are called what they are. */
export function actorName(actor: string): string {
  return actor.replace(/^user:/, "").replace(/^rule:/, "rule ");
}
