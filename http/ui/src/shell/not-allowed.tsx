// In place of what a role may not do or see: who may, and who one is.
import type { ReactNode } from "react";
import { useMe } from "@/api/me";
import { Empty } from "@/parts/empty";

type Props = { title: string; action?: ReactNode };

export function NotAllowed({ title, action }: Props) {
  const { data: me } = useMe();
  return (
    <Empty title={title} command={me && `regatta user role ${me.name} ROLE`} action={action}>
      {me && `You are ${me.name}, ${me.role}. An admin can give you another role, in the settings or with:`}
    </Empty>
  );
}
