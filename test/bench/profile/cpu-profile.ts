/** What `node --cpu-prof` writes, as far as it is read here; times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly startTime: number
  /** The node on top of the stack at each sample, and the time since the sample before. */
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string, readonly url: string, readonly lineNumber: number }
  readonly children?: readonly number[]
}

export interface FunctionTime {
  readonly name: string
  /** Path inside dist/ or the package, "node:…" for Node's own; empty for what has no source, such as "(garbage collector)". */
  readonly where: string
  readonly selfUs: number
  /** With everything it called. */
  readonly totalUs: number
}

/** The time each function took between two moments, counted in microseconds from the start of the profile; the most expensive first. */
export function functionTimes (profile: CpuProfile, fromUs = 0, untilUs = Infinity): FunctionTime[] {
  const selfUs = sampled(profile, fromUs, untilUs)
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const times = new Map<string, { name: string, where: string, selfUs: number, totalUs: number }>()
  const onStack = new Set<string>()
  /** Adds a node and what it called; a recursion counts once in the total of its function. */
  const walk = (node: ProfileNode): number => {
    const { functionName, url, lineNumber } = node.callFrame
    const where = url === '' ? '' : `${shortened(url)}:${lineNumber + 1}`
    const key = `${functionName} ${where}`
    const time = times.get(key) ?? { name: functionName === '' ? '(anonymous)' : functionName, where, selfUs: 0, totalUs: 0 }
    times.set(key, time)
    const outermost = !onStack.has(key)
    onStack.add(key)
    const own = selfUs.get(node.id) ?? 0
    let total = own
    for (const id of node.children ?? []) {
      const child = nodes.get(id)
      if (child !== undefined) total += walk(child)
    }
    time.selfUs += own
    if (outermost) {
      time.totalUs += total
      onStack.delete(key)
    }
    return total
  }
  const root = profile.nodes[0]
  if (root !== undefined) walk(root)
  return [...times.values()].filter(({ totalUs }) => totalUs > 0).sort((a, b) => b.selfUs - a.selfUs)
}

function sampled ({ samples, timeDeltas }: CpuProfile, fromUs: number, untilUs: number): Map<number, number> {
  const selfUs = new Map<number, number>()
  let now = 0
  for (const [at, id] of samples.entries()) {
    // A sample stands for the time until the next one.
    const delta = timeDeltas[at + 1] ?? 0
    now += timeDeltas[at] ?? 0
    if (now >= fromUs && now < untilUs) selfUs.set(id, (selfUs.get(id) ?? 0) + delta)
  }
  return selfUs
}

function shortened (url: string): string {
  return url.replace(/^file:\/\//, '').replace(/^.*\/(?=node_modules\/)/, '').replace(/^.*\/dist\//, '')
}
