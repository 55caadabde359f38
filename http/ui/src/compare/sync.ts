// Bodies that scroll together: whoever is scrolled says where it stands, the others go there.
import { createContext, useContext, useEffect, useRef } from "react";

type Member<Place> = { goTo: (place: Place) => void };

/** A follower ignores its own scrolling for so long after it was told where to go. */
const ECHO_MS = 200;

export class Together<Place> {
  private readonly members = new Map<string, Member<Place>>();
  private leader: { name: string; untilMs: number } | undefined;
  isOn = true;

  join(name: string, member: Member<Place>): () => void {
    this.members.set(name, member);
    return () => this.members.delete(name);
  }

  /** Somebody scrolled; an echo of another's scrolling leads nobody. */
  moved(name: string, place: Place, nowMs: number): void {
    if (!this.isOn) return;
    if (this.leader && this.leader.name !== name && nowMs < this.leader.untilMs) return;
    this.leader = { name, untilMs: nowMs + ECHO_MS };
    for (const [other, member] of this.members) if (other !== name) member.goTo(place);
  }

  /** Everybody goes to a place. */
  show(place: Place): void {
    for (const member of this.members.values()) member.goTo(place);
  }
}

export const TogetherContext = createContext<Together<unknown> | undefined>(undefined);

export function useTogether<Place>(name: string, goTo: (place: Place) => void): (place: Place) => void {
  const together = useContext(TogetherContext);
  const latest = useRef(goTo);
  latest.current = goTo;
  useEffect(() => together?.join(name, { goTo: (place) => latest.current(place as Place) }), [together, name]);
  return (place) => together?.moved(name, place, performance.now());
}
