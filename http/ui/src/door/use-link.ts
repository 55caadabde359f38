// A connection through the door, for components.
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Told } from "./frames";
import { type Line, NEW, type Want } from "./line";
import { linkTo } from "./link";

const nothing = () => () => undefined;
const none = () => NEW;

/** How the connection to a gateway is; none while there is nothing to connect to. */
export function useLine(gateway: string | undefined): Line {
  const link = gateway === undefined ? undefined : linkTo(gateway);
  return useSyncExternalStore(link?.subscribe ?? nothing, link?.snapshot ?? none);
}

/** Hears a gateway while the component is there. `anew` is called when something may have been missed. */
export function useHeard(
  gateway: string | undefined,
  wants: readonly Want[],
  tell: (event: Told) => void,
  anew: () => void,
): void {
  const latest = useRef({ tell, anew });
  latest.current = { tell, anew };
  const shape = JSON.stringify(wants);
  useEffect(() => {
    if (gateway === undefined) return undefined;
    return linkTo(gateway).hear({
      wants: JSON.parse(shape) as Want[],
      tell: (event) => latest.current.tell(event),
      anew: () => latest.current.anew(),
    });
  }, [gateway, shape]);
}
