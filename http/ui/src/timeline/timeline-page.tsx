// Every event of the installation, and the latest runs as bars of true length.
import { Page } from "@/parts/page";
import { EventsView } from "./events-view";
import { RunsLanes } from "./runs-lanes";

export default function TimelinePage() {
  return (
    <Page title="Timeline">
      <EventsView>
        <RunsLanes />
      </EventsView>
    </Page>
  );
}
