// Words of the API, as its OpenAPI document has them: `npm run types` writes schema.d.ts out of schemas/openapi.json
// before every check and every build, so that a page that does not fit the server does not compile.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Slot = Schemas["Slot"];
export type Seq = Schemas["Seq"];

export type RunRow = Schemas["RunRow"];
export type RunPage = Schemas["RunPage"];
export type RunView = Schemas["RunView"];
export type RunState = Schemas["RunState"];
export type RunRequest = Schemas["RunRequest"];
export type Strategy = Schemas["Strategy"];
export type AttemptCounts = Schemas["AttemptCounts"];

export type AttemptState = Schemas["AttemptState"];
export type Outcome = Schemas["Outcome"];
export type Exit = Schemas["Exit"];
export type Artifacts = Schemas["ArtifactsBody"];
export type ArtifactSums = Schemas["ArtifactsView"];
export type CheckView = Schemas["CheckView"];
export type CheckState = Schemas["CheckState"];

export type Comparison = Schemas["Comparison"];
export type Revealed = Schemas["Revealed"];
export type Column = Schemas["Column"];
export type Can = Schemas["Can"];
export type DiffStat = Schemas["DiffStat"];
export type OutputTail = Schemas["OutputTail"];
export type Usage = Schemas["UsageView"];
export type FileRow = Schemas["FileRow"];
export type LineCounts = Schemas["LineCounts"];
export type MergePreview = Schemas["MergePreview"];
export type MergeRow = Schemas["MergeRow"];

export type OutputBody = Schemas["OutputBody"];
export type Piece = Schemas["PieceBody"];
export type Remark = Schemas["RemarkBody"];
export type PiecesPage = Schemas["PiecesBody"];

export type EventBody = Schemas["EventBody"];
export type Entry = Schemas["TimelineEntry"];
export type EntryPage = Schemas["Timeline"];
export type RunTimeline = Schemas["RunTimeline"];
export type RunLanes = Schemas["RunLanes"];
export type RunSpan = Schemas["RunSpan"];
export type Span = Schemas["Span"];
export type Mark = Schemas["Mark"];
export type MarkSort = Schemas["MarkSort"];

export type Fleet = Schemas["FleetView"];
export type FleetTotals = Schemas["FleetTotals"];
export type Provider = Schemas["ProviderView"];
export type Sandbox = Schemas["SandboxView"];
export type SandboxState = Schemas["SandboxState"];
export type ProviderRow = Schemas["ProviderRow"];
export type Limit = Schemas["LimitBody"];
export type Waiting = Schemas["WaitingView"];
export type Relay = Schemas["RelayState"];
export type Health = Schemas["Health"];

export type Gateway = Schemas["GatewayBody"];
export type LinkNow = Schemas["LinkNow"];
export type Tested = Schemas["Tested"];
export type Approvals = Schemas["ApprovalsView"];
export type Approval = Schemas["ApprovalView"];
export type Decision = Schemas["Decision"];
export type Rule = Schemas["Rule"];
export type KnownRule = Schemas["KnownRule"];

export type Threads = Schemas["ThreadsView"];
export type ThreadRow = Schemas["ThreadRow"];
export type Thread = Schemas["ThreadView"];
export type Turn = Schemas["GatewayRunView"];
export type TurnState = Schemas["GatewayRunState"];
export type Tool = Schemas["ToolView"];
export type UsageRow = Schemas["UsageRow"];

export type Disk = Schemas["DiskBody"];
export type DiskSort = Schemas["DiskSort"];
export type LeftRow = Schemas["LeftRow"];
export type Place = Schemas["Place"];

export type Me = Schemas["Me"];
export type Role = Schemas["Role"];
export type Token = Schemas["TokenRow"];
export type User = Schemas["UserRow"];
export type Secret = Schemas["SecretRow"];

export type ConfigRow = Schemas["ConfigRow"];
export type Finding = Schemas["Finding"];

export type Problem = Schemas["Problem"];
export type Conflict = Schemas["Conflict"];
