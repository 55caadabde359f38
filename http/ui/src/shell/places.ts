// The pages one can go to from everywhere.
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
  { name: "Runs", to: "/", keys: "g r", icon: ListTree },
  { name: "Approvals", to: "/approvals", keys: "g a", icon: Inbox },
  { name: "Chat", to: "/chat", keys: "g c", icon: MessageSquare },
  { name: "Sessions", to: "/sessions", keys: "g e", icon: MessagesSquare },
  { name: "Agents", to: "/agents", keys: "g n", icon: Bot },
  { name: "Timeline", to: "/timeline", keys: "g t", icon: Activity },
  { name: "Fleet", to: "/fleet", keys: "g f", icon: Boxes },
  { name: "Usage", to: "/usage", keys: "g u", icon: ChartColumn },
  { name: "Gateways", to: "/gateways", keys: "g w", icon: Cable },
  { name: "Settings", to: "/settings", keys: "g s", icon: Settings },
] as const;
