/** Lines around a change that are shown with it. */
const context = 2
/** Changes that are searched for the shortest way from one text to the other; where there are more, all is shown as changed. */
const mostChanges = 1000

interface Step {
  readonly mark: ' ' | '-' | '+'
  readonly line: string
}

/** What changes from one text to the other, in the form of a unified diff; empty when nothing does. */
export function diffText (name: string, before: string, after: string): string {
  if (before === after) return ''
  const steps = stepsOf(linesOf(before), linesOf(after))
  const shown = new Set<number>()
  steps.forEach((step, index) => {
    if (step.mark === ' ') return
    for (let near = Math.max(0, index - context); near <= index + context; near++) shown.add(near)
  })
  const out = [`--- ${name}`, `+++ ${name} (formatted)`]
  let oldLine = 1
  let newLine = 1
  steps.forEach((step, index) => {
    if (shown.has(index)) {
      if (!shown.has(index - 1)) out.push(hunkHead(steps, index, shown, oldLine, newLine))
      out.push(step.mark + step.line)
    }
    if (step.mark !== '+') oldLine++
    if (step.mark !== '-') newLine++
  })
  return out.join('\n') + '\n'
}

function linesOf (text: string): string[] {
  if (text === '') return []
  return text.endsWith('\n') ? text.slice(0, -1).split('\n') : `${text}\n\\ No newline at end of file`.split(/\n(?!\\ No newline at end of file$)/)
}

function hunkHead (steps: readonly Step[], from: number, shown: ReadonlySet<number>, oldLine: number, newLine: number): string {
  let removed = 0
  let added = 0
  for (let index = from; index < steps.length && shown.has(index); index++) {
    if (steps[index]?.mark !== '+') removed++
    if (steps[index]?.mark !== '-') added++
  }
  return `@@ -${oldLine},${removed} +${newLine},${added} @@`
}

function stepsOf (before: readonly string[], after: readonly string[]): Step[] {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const same = (lines: readonly string[]): Step[] => lines.map(line => ({ mark: ' ', line }))
  return [
    ...same(before.slice(0, start)),
    ...shortest(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...same(before.slice(before.length - end)),
  ]
}

/** The greedy algorithm of E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986). */
function shortest (before: readonly string[], after: readonly string[]): Step[] {
  const trace: Map<number, number>[] = []
  let reached = new Map<number, number>([[1, 0]])
  for (let changes = 0; changes <= Math.min(mostChanges, before.length + after.length); changes++) {
    trace.push(reached)
    const next = new Map<number, number>()
    for (let diagonal = -changes; diagonal <= changes; diagonal += 2) {
      let x = startOf(reached, diagonal, changes)
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++
      next.set(diagonal, x)
      if (x >= before.length && x - diagonal >= after.length) return walkBack(trace, before, after)
    }
    reached = next
  }
  return [...before.map((line): Step => ({ mark: '-', line })), ...after.map((line): Step => ({ mark: '+', line }))]
}

function startOf (reached: ReadonlyMap<number, number>, diagonal: number, changes: number): number {
  const left = reached.get(diagonal - 1) ?? -1
  const above = reached.get(diagonal + 1) ?? -1
  return diagonal === -changes || (diagonal !== changes && left < above) ? above : left + 1
}

function walkBack (trace: readonly ReadonlyMap<number, number>[], before: readonly string[], after: readonly string[]): Step[] {
  const steps: Step[] = []
  let x = before.length
  let y = after.length
  for (let changes = trace.length - 1; changes >= 0; changes--) {
    const reached = trace[changes] ?? new Map<number, number>()
    const diagonal = x - y
    const from = startOf(reached, diagonal, changes)
    const added = from === (reached.get(diagonal + 1) ?? -1) && (diagonal === -changes || (diagonal !== changes && (reached.get(diagonal - 1) ?? -1) < from))
    while (x > from && y > from - diagonal) {
      steps.push({ mark: ' ', line: before[--x] ?? '' })
      y--
    }
    if (changes === 0) break
    if (added) steps.push({ mark: '+', line: after[--y] ?? '' })
    else steps.push({ mark: '-', line: before[--x] ?? '' })
  }
  return steps.toReversed()
}
