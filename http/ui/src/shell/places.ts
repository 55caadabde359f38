// The pages one can go to from everywhere.
import { Activity, Boxes, Cable, Inbox, ListTree, Settings } from "lucide-react";

export const PLACES = [
  { name: "Runs", to: "/", keys: "g r", icon: ListTree },
  { name: "Approvals", to: "/approvals", keys: "g a", icon: Inbox },
  { name: "Timeline", to: "/timeline", keys: "g t", icon: Activity },
  { name: "Fleet", to: "/fleet", keys: "g f", icon: Boxes },
  { name: "Gateways", to: "/gateways", keys: "g w", icon: Cable },
  { name: "Settings", to: "/settings", keys: "g s", icon: Settings },
] as const;
