// Whoever is not signed in is taken to the sign-in page, and back afterwards.
import { useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { useLive } from "@/live/use-live";

export function useSignInWhenNeeded(): void {
  const { connection } = useLive();
  const location = useLocation();
  const navigate = useNavigate();
  useEffect(() => {
    if (connection === "signed-out" && location.pathname !== "/sign-in") {
      void navigate({ to: "/sign-in", search: { next: location.href }, replace: true });
    }
  }, [connection, location.pathname, location.href, navigate]);
}
