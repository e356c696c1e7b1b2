import {
  FilePen,
  FilePlus2,
  FileSearch,
  FileText,
  FolderOpen,
  Globe,
  ListChecks,
  type LucideIcon,
  MessageCircleQuestionMark,
  SquareTerminal,
  Wrench,
} from 'lucide-react';
import type { ReactNode } from 'react';

const ICONS: Record<string, LucideIcon> = {
  read_file: FileText,
  write_file: FilePlus2,
  edit_file: FilePen,
  multi_edit: FilePen,
  bash: SquareTerminal,
  list_processes: SquareTerminal,
  read_process: SquareTerminal,
  stop_process: SquareTerminal,
  list_folder: FolderOpen,
  glob: FileSearch,
  grep: FileSearch,
  update_plan: ListChecks,
  ask_user_questions: MessageCircleQuestionMark,
  fetch_url: Globe,
};

export function ToolIcon({ tool }: { tool: string }): ReactNode {
  const Icon = (Object.hasOwn(ICONS, tool) ? ICONS[tool] : undefined) ?? Wrench;
  return <Icon aria-hidden className="size-4 shrink-0 text-faint" />;
}
