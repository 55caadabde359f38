// Being built.
import { Page } from "@/parts/page";

export default function NewRunPage() {
  return <Page title="New run">{null}</Page>;
}
