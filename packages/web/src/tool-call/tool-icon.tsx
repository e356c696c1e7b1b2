import {
  Camera,
  Download,
  FilePen,
  FilePlus2,
  FileSearch,
  FileText,
  FolderOpen,
  Globe,
  Keyboard,
  ListChecks,
  type LucideIcon,
  MessageCircleQuestionMark,
  MousePointerClick,
  SquareTerminal,
  Upload,
  Wrench,
} from 'lucide-react';
import type { ReactNode } from 'react';

const ICONS: Record<string, LucideIcon> = {
  read_file: FileText,
  write_file: FilePlus2,
  edit_file: FilePen,
  multi_edit: FilePen,
  apply_patch: FilePen,
  bash: SquareTerminal,
  list_processes: SquareTerminal,
  read_process: SquareTerminal,
  write_process: Keyboard,
  stop_process: SquareTerminal,
  list_folder: FolderOpen,
  glob: FileSearch,
  grep: FileSearch,
  update_plan: ListChecks,
  ask_user_questions: MessageCircleQuestionMark,
  fetch_url: Globe,
  browser_navigate: Globe,
  browser_snapshot: Globe,
  browser_click: MousePointerClick,
  browser_fill: Keyboard,
  browser_type: Keyboard,
  browser_select: ListChecks,
  browser_press: Keyboard,
  browser_hover: MousePointerClick,
  browser_scroll: Globe,
  browser_wait: Globe,
  browser_screenshot: Camera,
  browser_tabs: Globe,
  browser_extract: FileText,
  browser_upload: Upload,
  browser_download: Download,
};

export function ToolIcon({ tool }: { tool: string }): ReactNode {
  const Icon = (Object.hasOwn(ICONS, tool) ? ICONS[tool] : undefined) ?? Wrench;
  return <Icon aria-hidden className="size-4 shrink-0 text-faint" />;
}
