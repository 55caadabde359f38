// The pages one can go to from everywhere.
import { Activity, Boxes, ListTree, Settings } from "lucide-react";

export const PLACES = [
  { name: "Runs", to: "/", keys: "g r", icon: ListTree },
  { name: "Timeline", to: "/timeline", keys: "g t", icon: Activity },
  { name: "Fleet", to: "/fleet", keys: "g f", icon: Boxes },
  { name: "Settings", to: "/settings", keys: "g s", icon: Settings },
] as const;
