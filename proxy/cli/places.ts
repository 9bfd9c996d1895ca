import { isAbsolute, relative, resolve } from 'node:path'
import type { Position } from '../../config/sentinel/index.ts'

/** Shows places the short way: files in `folder` without it. */
export function placeShower (folder: string): (at: Pick<Position, 'file' | 'line'>) => string {
  return ({ file, line }) => {
    const short = relative(folder, resolve(file))
    const shown = short === '' || short.startsWith('..') || isAbsolute(short) ? file : short
    return `${printableText(shown)}:${line}`
  }
}

/** Keeps names of files and settings from writing control sequences to a terminal. */
export function printableText (text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\uFFFD')
}
