// Chat: conversations with agents of every gateway, one of them open.
import { Plus } from "lucide-react";
import { useState } from "react";
import { NoGateway } from "@/gateways/every";
import { isConnected, useGateways } from "@/gateways/use-reads";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { classes } from "@/parts/classes";
import { Empty } from "@/parts/empty";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import { useQueryState } from "@/timeline/use-query";
import { ChatPane } from "./chat-pane";
import { titleOf } from "./looks";
import { NewChat } from "./new-chat";
import { ThreadList } from "./thread-list";

/** What gateways say is no event of the page's own connection: the list is read again this often. */
const LIST_MS = 5_000;

export default function ChatPage() {
  const [query, change] = useQueryState();
  const { gateways, error: gatewaysError } = useGateways();
  const { data, error, isPending, refetch } = useView("/threads", {}, { everyMs: LIST_MS });
  const [isBeginning, setBeginning] = useState(false);
  const { gateway, session } = query;
  const rows = data?.rows ?? [];
  const thread = rows.find((row) => row.gateway === gateway && row.session === session);
  const isOpen = gateway !== undefined && session !== undefined;
  const connected = (gateways ?? []).filter(isConnected).map(({ name }) => name);
  const mayTalk = useMay("chat");
  const begin = mayTalk && connected.length > 0 && (
    <Button look="primary" size="small" onClick={() => setBeginning(true)}>
      <Plus size={13} aria-hidden /> New
    </Button>
  );
  const hasList = rows.length > 0;
  return (
    <Page title="Chat" tools={(hasList || isOpen) && <span className="ml-auto">{begin}</span>}>
      {isPending && <SkeletonRows />}
      {(error ?? gatewaysError) && (
        <ProblemNotice className="m-4" error={error ?? gatewaysError} onRetry={() => void refetch()} />
      )}
      {data && !hasList && !isOpen && gateways?.length === 0 && (
        <NoGateway>
          Talk to the agents of your OpenClaw gateways, all in one place; what they say and do is recorded. Connect one:
        </NoGateway>
      )}
      {data && !hasList && !isOpen && (gateways?.length ?? 0) > 0 && (
        <Empty title="Nothing was said yet" action={begin || undefined}>
          Conversations are shown from the moment Regatta is connected to their gateway. Older ones are among the
          sessions.
        </Empty>
      )}
      {data && (hasList || isOpen) && (
        <div className="h-full md:grid md:grid-cols-[18rem_1fr]">
          <div
            className={classes(
              "flex h-full min-h-0 flex-col border-line bg-surface md:border-r",
              isOpen && "max-md:hidden",
            )}
          >
            <ThreadList
              rows={rows}
              chosen={{ gateway, session }}
              onChoose={(row) => change({ gateway: row.gateway, session: row.session })}
            />
          </div>
          {isOpen ? (
            <ChatPane
              key={`${gateway} ${session}`}
              gateway={gateway}
              session={session}
              thread={thread}
              title={titleOf(thread ?? { label: null, session })}
              isConnected={connected.includes(gateway)}
              mayTalk={mayTalk}
              onBack={() => change({ gateway: "", session: "" })}
            />
          ) : (
            <div className="max-md:hidden">
              <Empty title="Choose a conversation">What its agent said and did is shown here, as it happens.</Empty>
            </div>
          )}
        </div>
      )}
      {isBeginning && (
        <NewChat
          gateways={connected}
          onBegin={(at, key) => {
            setBeginning(false);
            change({ gateway: at, session: key });
          }}
          onClose={() => setBeginning(false)}
        />
      )}
    </Page>
  );
}
