import { Component, type ReactNode } from 'react';
import { Button } from '../ui/button.tsx';

interface ErrorBoundaryState {
  readonly error?: Error;
}

/**
 * Keeps a fault of the page from leaving it blank: a bug, or a part that was replaced by an upgrade while the page was open.
 * Drafts and unsent messages are stored, so reloading loses nothing.
 */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, ErrorBoundaryState> {
  override state: ErrorBoundaryState = {};

  static getDerivedStateFromError(error: unknown): ErrorBoundaryState {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    if (!this.state.error) return this.props.children;
    return (
      <main role="alert" className="flex min-h-full items-center justify-center p-6">
        <div className="w-full max-w-md space-y-4">
          <h1 className="text-2xl font-semibold tracking-tight">This page has stopped</h1>
          <p className="text-base text-muted">It hit an error, or the server was upgraded while it was open. What you wrote is kept: reload to go on.</p>
          <pre
            dir="ltr"
            className="max-h-40 overflow-auto rounded-lg border border-line bg-panel px-3 py-2 font-mono text-xs wrap-anywhere whitespace-pre-wrap"
          >
            {this.state.error.message}
          </pre>
          <Button variant="primary" onClick={() => location.reload()}>
            Reload
          </Button>
        </div>
      </main>
    );
  }
}
