// Scripted agents: shell commands that do what a coding agent does, as fast as a test wants and when it wants.

/** Quotes a text for a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Prints one line. */
export function say(line: string): string {
  return `printf '%s\\n' ${quoted(line)}`;
}

/** Prints many numbered lines. */
export function sayLines(word: string, count: number): string {
  return `seq -f ${quoted(`${word} %g`)} 1 ${count}`;
}

/** Writes a file of the repository, in place of what is there. */
export function write(path: string, text: string): string {
  const folder = path.includes("/") ? `mkdir -p ${quoted(path.slice(0, path.lastIndexOf("/")))} && ` : "";
  return `${folder}printf '%s' ${quoted(text)} > ${quoted(path)}`;
}

/** Replaces a text in a file of the repository. */
export function replace(path: string, from: string, to: string): string {
  const program =
    "const fs=require('fs'),[p,f,t]=process.argv.slice(1),s=fs.readFileSync(p,'utf8');if(!s.includes(f))process.exit(9);fs.writeFileSync(p,s.replace(f,t))";
  return `node -e ${quoted(program)} ${quoted(path)} ${quoted(from)} ${quoted(to)}`;
}

/** One agent: what it does, step by step, until a step fails. */
export function agent(...steps: string[]): string {
  return steps.join(" && ");
}
