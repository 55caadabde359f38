// Being built.
import { Page } from "@/parts/page";

export default function TimelinePage() {
  return <Page title="Timeline">{null}</Page>;
}
