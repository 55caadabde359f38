// Gateways: how the connection to each is, what is missing, and what to do about it.
import { useState } from "react";
import { useView } from "@/live/use-view";
import { Button } from "@/parts/button";
import { Empty } from "@/parts/empty";
import { Page } from "@/parts/page";
import { ProblemNotice } from "@/parts/problem-notice";
import { SkeletonRows } from "@/parts/skeleton";
import { useMay } from "@/replay/may";
import { AddGateway } from "./add-gateway";
import { GatewayCard } from "./gateway-card";
import { isUnderWay } from "./looks";

/** How often it is looked again while a connection is being made, and else: neither trying nor a frame is told here. */
const [LOOK_MS, STAY_MS] = [2_000, 10_000];

export default function GatewaysPage() {
  const { data, error, isPending, refetch } = useView(
    "/gateways",
    {},
    { everyMs: (shown) => (shown?.rows.some(({ link }) => isUnderWay(link)) ? LOOK_MS : STAY_MS) },
  );
  const [isAdding, setAdding] = useState(false);
  const mayAdd = useMay("gateways");
  const add = mayAdd && (
    <Button look="primary" onClick={() => setAdding(true)}>
      Add a gateway
    </Button>
  );
  return (
    <Page title="Gateways" tools={data && data.rows.length > 0 && <span className="ml-auto">{add}</span>}>
      {isPending && <SkeletonRows />}
      {error && <ProblemNotice className="m-4" error={error} onRetry={() => void refetch()} />}
      {data?.rows.length === 0 && (
        <Empty
          title="No gateway yet"
          command="regatta gateway add main 127.0.0.1:18789 --token-stdin"
          action={add || undefined}
        >
          Connect an OpenClaw gateway: what its agents say and do is recorded, and what they ask comes to you. The token
          is gateway.auth.token in its openclaw.json; it is sealed on the server and never shown.
        </Empty>
      )}
      <div className="mx-auto flex max-w-5xl flex-col gap-4 p-4 empty:hidden">
        {data?.rows.map((gateway) => (
          <GatewayCard key={gateway.name} gateway={gateway} />
        ))}
      </div>
      {isAdding && <AddGateway onClose={() => setAdding(false)} />}
    </Page>
  );
}
