import type { EvidenceStats } from '../evidence/evidence.ts'
import type { MetricTable } from '../observe/metrics-table.ts'

/** Says what became of the records so far, right before it is read; nothing where none are written. */
export function tellEvidence (table: MetricTable, stats: EvidenceStats | undefined): void {
  if (stats === undefined) return
  table.evidenceRecords.cell().set(stats.records)
  table.evidenceDropped.cell().set(stats.dropped)
  table.evidenceQueue.cell().set(stats.queued)
  table.evidenceFailing.cell().set(stats.failing ? 1 : 0)
}
