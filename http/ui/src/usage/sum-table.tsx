// Sums by what somebody looks for.
import { CostText, Count, TokensText } from "./amounts";
import type { By, Sum } from "./sums";

const CELL = "px-3 py-1.5";

export function SumTable({ sums, by }: { sums: readonly Sum[]; by: By }) {
  return (
    <div className="overflow-hidden rounded-md border border-line">
      <table className="w-full table-fixed bg-surface">
        <thead>
          <tr className="border-line border-b text-left text-soft">
            <th scope="col" className={`${CELL} w-2/5 font-medium first-letter:uppercase`}>
              {by}
            </th>
            <th scope="col" className={`${CELL} text-right font-medium max-sm:hidden`}>
              How many
            </th>
            <th scope="col" className={`${CELL} text-right font-medium`}>
              Tokens
            </th>
            <th scope="col" className={`${CELL} text-right font-medium`}>
              Cost
            </th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {sums.map((sum) => (
            <tr key={sum.name}>
              <th scope="row" className={`${CELL} truncate text-left font-normal`} title={sum.name}>
                <bdi>{sum.name}</bdi>
              </th>
              <td className={`${CELL} text-right text-soft max-sm:hidden`}>
                <Count sum={sum} />
              </td>
              <td className={`${CELL} text-right`}>
                <TokensText sum={sum} />
              </td>
              <td className={`${CELL} text-right`}>
                <CostText sum={sum} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
