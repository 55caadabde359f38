// Approvals: what agents ask, the longest waiting first, and what became of the latest ones.
import { useEffect } from "react";
import { useShortcuts } from "@/keyboard/use-shortcuts";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { Empty } from "@/parts/empty";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useReplay } from "@/replay/replay";
import { useQueryState } from "@/timeline/use-query";
import { AskCard } from "./ask-card";
import { useNoticePermission } from "./notices";
import { OverList } from "./over-list";
import { Rules } from "./rules";
import { SettledAsk } from "./settled-ask";

export default function ApprovalsPage() {
  const [query, change] = useQueryState();
  const withOver = query.over === "1";
  const { data, error, isPending, refetch } = useView("/approvals", { over: withOver || undefined }, { keep: true });
  const open = data?.open ?? [];
  const chosen = open.find((ask) => ask.id === query.ask)?.id;
  const isGone = query.ask !== undefined && query.ask !== "" && data !== undefined && chosen === undefined;
  const { asOf } = useReplay();
  const notices = useNoticePermission();
  const step = (by: number) => {
    const at = open.findIndex((ask) => ask.id === chosen);
    const next = open[at < 0 ? 0 : Math.min(Math.max(at + by, 0), open.length - 1)];
    if (next) change({ ask: next.id });
  };
  useShortcuts("Questions", [
    { keys: "j", about: "Next question", run: () => step(1) },
    { keys: "k", about: "Question before", run: () => step(-1) },
  ]);
  useEffect(() => {
    if (chosen) document.getElementById(`ask-${chosen}`)?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  return (
    <Page
      title="Approvals"
      tools={
        <div className="ml-auto flex gap-2">
          {notices.canAsk && asOf === undefined && (
            <Button size="small" title="five minutes before a question expires" onClick={notices.ask}>
              Notify me
            </Button>
          )}
          <Button size="small" onClick={() => change({ over: withOver ? "" : "1" })}>
            {withOver ? "Only what is open" : "Show what is over"}
          </Button>
        </div>
      }
    >
      {isPending && <SkeletonRows />}
      {error && <ProblemNotice className="m-4" error={error} onRetry={() => void refetch()} />}
      {data && open.length === 0 && (
        <Empty title="Nobody asks anything" command="regatta gateway ls">
          When an agent of a gateway wants to run a command it may not run by itself, it waits here for your answer.
          That needs a gateway that is connected, and tools.exec.mode: ask in its openclaw.json.
        </Empty>
      )}
      <div className="mx-auto flex max-w-4xl flex-col gap-4 p-4">
        {isGone && query.ask && <SettledAsk id={query.ask} onClose={() => change({ ask: "" })} />}
        {open.map((ask) => (
          <AskCard key={ask.id} ask={ask} isChosen={ask.id === chosen} onChoose={() => change({ ask: ask.id })} />
        ))}
        {withOver && data && <OverList rows={data.over} />}
        <Rules />
      </div>
    </Page>
  );
}
