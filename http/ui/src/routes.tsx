// Addresses and their pages. The address bar is the state: what a page shows stands in its path and query. Pages are
// lazy chunks; `as_of` (the moment that is replayed) stays from page to page until somebody leaves the replay.
import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  Link,
  lazyRouteComponent,
  redirect,
  retainSearchParams,
} from "@tanstack/react-router";
import { askAhead } from "@/compare/ahead";
import { codeOf } from "@/live/code";
import { buttonLook } from "@/parts/button";
import { Empty } from "@/parts/empty";
import { ProblemNotice } from "@/parts/problem-notice";
import { Shell } from "@/shell/shell";

/** What may stand in any query. Each page reads its own names with `useSearch({ strict: false })`. */
export type Search = Record<string, string | undefined> & { as_of?: string };

const root = createRootRoute({
  component: Shell,
  validateSearch: (search: Record<string, unknown>): Search => search as Search,
  search: { middlewares: [retainSearchParams(["as_of"])] },
  notFoundComponent: NoSuchPage,
  errorComponent: PageFailed,
});

const routeTree = root.addChildren([
  createRoute({
    getParentRoute: () => root,
    path: "/",
    component: lazyRouteComponent(() => codeOf(() => import("@/runs/runs-page"))),
  }),
  // What a person would type.
  createRoute({ getParentRoute: () => root, path: "/runs", beforeLoad: () => redirect({ to: "/", throw: true }) }),
  createRoute({
    getParentRoute: () => root,
    path: "/runs/new",
    beforeLoad: () => redirect({ to: "/new", throw: true }),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/new",
    component: lazyRouteComponent(() => codeOf(() => import("@/new-run/new-run-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/runs/$run",
    component: lazyRouteComponent(() => codeOf(() => import("@/compare/compare-page"))),
    loader: ({ params, location }) => askAhead(params.run, location.search as Search),
    // Asking again is the views' business.
    shouldReload: false,
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/runs/$run/timeline",
    component: lazyRouteComponent(() => codeOf(() => import("@/timeline/run-timeline-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/timeline",
    component: lazyRouteComponent(() => codeOf(() => import("@/timeline/timeline-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/fleet",
    component: lazyRouteComponent(() => codeOf(() => import("@/fleet/fleet-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/gateways",
    component: lazyRouteComponent(() => codeOf(() => import("@/gateways/gateways-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/approvals",
    component: lazyRouteComponent(() => codeOf(() => import("@/approvals/approvals-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/chat",
    component: lazyRouteComponent(() => codeOf(() => import("@/chat/chat-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/sessions",
    component: lazyRouteComponent(() => codeOf(() => import("@/sessions/sessions-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/agents",
    component: lazyRouteComponent(() => codeOf(() => import("@/agents/agents-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/usage",
    component: lazyRouteComponent(() => codeOf(() => import("@/usage/usage-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/settings",
    component: lazyRouteComponent(() => codeOf(() => import("@/settings/settings-page"))),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/sign-in",
    component: lazyRouteComponent(() => codeOf(() => import("@/sign-in/sign-in-page"))),
  }),
]);

export const router = createRouter({
  routeTree,
  defaultPreload: "intent",
  // Plain text in the query: `?as_of=1200` stays what a person would type.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(search)) {
      if (value !== undefined && value !== "") query.set(name, String(value));
    }
    const text = query.toString();
    return text ? `?${text}` : "";
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

function NoSuchPage() {
  return (
    <Empty
      title="There is no such page"
      action={
        <Link to="/" className={buttonLook("plain")}>
          To the runs
        </Link>
      }
    />
  );
}

function PageFailed({ error, reset }: ErrorComponentProps) {
  return (
    <div className="mx-auto max-w-xl p-6">
      <ProblemNotice error={error} onRetry={reset} />
    </div>
  );
}
