// The pages one can go to from everywhere. A phone has room for the main ones; the others stand behind More.
import {
  Activity,
  Bot,
  Boxes,
  Cable,
  ChartColumn,
  Inbox,
  ListTree,
  MessageSquare,
  MessagesSquare,
  Settings,
} from "lucide-react";

export const PLACES = [
  { name: "Runs", to: "/", keys: "g r", icon: ListTree, isMain: true },
  { name: "Approvals", to: "/approvals", keys: "g a", icon: Inbox, isMain: true },
  { name: "Chat", to: "/chat", keys: "g c", icon: MessageSquare, isMain: true },
  { name: "Sessions", to: "/sessions", keys: "g e", icon: MessagesSquare, isMain: false },
  { name: "Agents", to: "/agents", keys: "g n", icon: Bot, isMain: false },
  { name: "Timeline", to: "/timeline", keys: "g t", icon: Activity, isMain: false },
  { name: "Fleet", to: "/fleet", keys: "g f", icon: Boxes, isMain: false },
  { name: "Usage", to: "/usage", keys: "g u", icon: ChartColumn, isMain: false },
  { name: "Gateways", to: "/gateways", keys: "g w", icon: Cable, isMain: false },
  { name: "Settings", to: "/settings", keys: "g s", icon: Settings, isMain: false },
] as const;

/** Whether an address belongs to one of them. */
export function isAt(to: (typeof PLACES)[number]["to"], pathname: string): boolean {
  return to === "/" ? pathname === "/" || pathname.startsWith("/runs") : pathname.startsWith(to);
}
