// Being built.
import { Page } from "@/parts/page";

export default function RunTimelinePage() {
  return <Page title="Timeline">{null}</Page>;
}
