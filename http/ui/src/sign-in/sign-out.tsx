// Ends this browser's session.
import { useMutation } from "@tanstack/react-query";
import { LogOut } from "lucide-react";
import { command } from "@/api/client";
import { IconButton } from "@/parts/button";

export function SignOut() {
  const signOut = useMutation({
    mutationFn: () => command("DELETE", "/session"),
    // A fresh page holds nothing of what was seen.
    onSuccess: () => window.location.assign("/sign-in"),
  });
  return (
    <IconButton
      size="small"
      label="Sign out"
      icon={<LogOut size={13} aria-hidden />}
      disabled={signOut.isPending}
      onClick={() => signOut.mutate()}
    />
  );
}
