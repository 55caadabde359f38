// Which attempt changed which file: all of them, some, or one alone. A cell leads to that file's diff.
import type { Column, Comparison, FileRow, LineCounts, Slot } from "@/api/types";
import { plural } from "@/format/numbers";
import { classes } from "@/parts/classes";
import { BodyNote } from "../body-note";
import { PathText } from "../diff/diff-row";
import { isGenerated } from "../diff/rows";
import { whoTries } from "../head/who-tries";
import { useSlotName } from "../slot-name";

type Props = { comparison: Comparison; onShow: (slot: Slot, path: string) => void };

const CLASSES = {
  all: { word: "all", about: "every attempt that changed anything changed it" },
  some: { word: "some", about: "at least two attempts changed it, but not each" },
  one: { word: "one", about: "only one attempt changed it" },
};

export default function FilesMatrix({ comparison, onShow }: Props) {
  const columns = comparison.columns.filter((column) => column.stat);
  if (columns.length === 0) return <BodyNote>The files are here once an agent has ended.</BodyNote>;
  if (comparison.files.length === 0) return <BodyNote>Nobody changed a file.</BodyNote>;
  return (
    <div className="h-full overflow-auto bg-surface">
      <table className="w-full border-separate border-spacing-0">
        <thead className="sticky top-0 z-10 bg-surface text-left text-faint">
          <tr>
            <th scope="col" className="border-line border-b px-4 py-2 font-medium">
              {plural(comparison.files.length, "file")}
              {comparison.files_cut && " and more"}
            </th>
            <th scope="col" className="whitespace-nowrap border-line border-b px-2 py-2 font-medium">
              changed by
            </th>
            {columns.map((column) => (
              <Head key={column.slot} column={column} />
            ))}
          </tr>
        </thead>
        <tbody>
          {comparison.files.map((file) => (
            <Row key={file.path} file={file} columns={columns} onShow={onShow} />
          ))}
        </tbody>
      </table>
      <Twins comparison={comparison} />
    </div>
  );
}

function Head({ column }: { column: Column }) {
  const nameOf = useSlotName();
  return (
    <th scope="col" className="border-line border-b px-3 py-2 font-medium" title={whoTries(column)}>
      <span className="font-semibold text-text">{nameOf(column.slot)}</span>
      <span className="ml-1.5 inline-block max-w-32 truncate align-bottom max-lg:hidden">{whoTries(column)}</span>
    </th>
  );
}

function Row({ file, columns, onShow }: { file: FileRow; columns: Column[]; onShow: Props["onShow"] }) {
  const { word, about } = CLASSES[file.class];
  const nameOf = useSlotName();
  return (
    <tr className="hover:bg-raised">
      <th scope="row" className="max-w-96 border-line border-b px-4 py-1.5 text-left font-normal" title={file.path}>
        <span className="flex items-center gap-2 font-mono text-code">
          <PathText path={file.path} />
          {isGenerated(file.path) && <span className="shrink-0 font-sans text-faint text-xs">written by a tool</span>}
        </span>
      </th>
      <td className="border-line border-b px-2 py-1.5">
        <span
          title={about}
          className={classes(
            "rounded-sm px-1.5 py-0.5 text-sm",
            file.class === "one" ? "bg-accent-wash text-accent" : "bg-raised text-soft",
          )}
        >
          {word}
        </span>
      </td>
      {columns.map((column) => (
        <td key={column.slot} className="border-line border-b px-1 py-0.5">
          <Cell
            counts={file.by[column.slot]}
            name={`${file.path} of ${nameOf(column.slot)}`}
            onShow={() => onShow(column.slot, file.path)}
          />
        </td>
      ))}
    </tr>
  );
}

function Cell({ counts, name, onShow }: { counts: LineCounts | undefined; name: string; onShow: () => void }) {
  if (!counts) return <span className="px-2 text-faint">·</span>;
  return (
    <button
      type="button"
      onClick={onShow}
      aria-label={`Diff of ${name}`}
      className="whitespace-nowrap rounded-sm px-2 py-1 hover:bg-raised hover:underline"
    >
      {counts.added === null ? (
        <span className="text-soft">binary</span>
      ) : (
        <>
          <span className="text-good">+{counts.added}</span> <span className="text-bad">−{counts.removed ?? 0}</span>
        </>
      )}
    </button>
  );
}

/** Attempts that changed exactly the same. */
function Twins({ comparison }: { comparison: Comparison }) {
  const nameOf = useSlotName();
  const groups = comparison.groups.filter((group) => group.slots.length > 1);
  if (groups.length === 0) return null;
  return (
    <p className="px-4 py-3 text-soft">
      {groups.map((group) => (
        <span key={group.slots.join()} className="mr-4">
          ≡ <span className="font-semibold">{group.slots.map(nameOf).join(" ")}</span>{" "}
          {group.patch_hash === null ? "changed nothing" : "changed exactly the same"}
        </span>
      ))}
    </p>
  );
}
