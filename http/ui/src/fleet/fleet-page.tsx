// Being built.
import { Page } from "@/parts/page";

export default function FleetPage() {
  return <Page title="Fleet">{null}</Page>;
}
