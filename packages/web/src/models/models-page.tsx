import type { ReactNode } from 'react';
import { Section } from '../access/section.tsx';
import { useApi } from '../access/use-api.ts';
import { Asked } from '../connection/asked.tsx';
import { PageHeader } from '../ui/page-header.tsx';
import { ProviderRow } from './provider-row.tsx';
import type { Provider } from './provider-text.ts';

/** The keys of model providers, for owners (SPEC A19, U36). */
export function ModelsPage(): ReactNode {
  const { answer, reload } = useApi<{ providers: readonly Provider[] }>('/api/providers');
  return (
    <>
      <PageHeader title="Models" />
      <main className="scroll-quiet min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-3xl space-y-10 p-4 md:p-6">
          <Section
            id="provider-keys"
            title="Keys of model providers"
            about="Everybody here can choose the models of a provider that has a key. Keys are stored encrypted and never shown again; only owners can change them."
          >
            <Asked answer={answer} reload={reload}>
              {({ providers }) => (
                <ul className="divide-y divide-line rounded-xl border border-line bg-raised">
                  {providers.map((provider) => (
                    <ProviderRow key={provider.provider} provider={provider} onChanged={reload} />
                  ))}
                </ul>
              )}
            </Asked>
          </Section>
        </div>
      </main>
    </>
  );
}
