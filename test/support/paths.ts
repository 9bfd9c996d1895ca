import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout, seen from dist/test/support/. */
export const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** A path inside the checkout: sources, examples, golden files. */
export function fromRoot (...parts: string[]): string {
  return join(root, ...parts)
}

/** A path inside dist/: what runs. */
export function fromDist (...parts: string[]): string {
  return join(root, 'dist', ...parts)
}
