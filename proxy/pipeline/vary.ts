import { listItems, type HeaderList } from './headers.ts'

/** Says that the answer depends on a field of the request (RFC 9110 section 12.5.5). */
export function addVary (headers: HeaderList, field: string): void {
  const given = listItems(headers.getAll('vary').join(','))
  if (!given.includes('*') && !given.includes(field.toLowerCase())) headers.append('Vary', field)
}
