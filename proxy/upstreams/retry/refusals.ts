import type { Target } from '../target.ts'

/** How long a target that could not be reached is not thought of as a way out. */
const rememberedMs = 1_000

/** Targets that could not be reached a moment ago: a request that was refused by one of them is better not taken to another one. */
export class Refusals {
  readonly #untilMs = new WeakMap<Target, number>()

  note (target: Target, nowMs: number): void {
    this.#untilMs.set(target, nowMs + rememberedMs)
  }

  has (target: Target, nowMs: number): boolean {
    return nowMs < (this.#untilMs.get(target) ?? 0)
  }
}
