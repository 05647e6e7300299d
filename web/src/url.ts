// The address of the page is the state that can be shared: `#/VIEW/ARGUMENT?parameters`.

export const VIEWS = ['now', 'episode', 'series', 'review', 'models', 'quality', 'audit'] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Place {
  view: ViewName;
  argument: string;
  params: URLSearchParams;
}

export function parsePlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [name = '', ...rest] = path.split('/');
  const view = VIEWS.find((known) => known === name) ?? 'now';
  let argument = rest.join('/');
  try {
    argument = decodeURIComponent(argument);
  } catch {
    // not encoded: taken as it stands
  }
  return { view, argument: view === name ? argument : '', params: new URLSearchParams(query) };
}

export function formatPlace(
  view: ViewName,
  argument: string | number = '',
  params?: URLSearchParams | Record<string, string>,
): string {
  const query = new URLSearchParams(params).toString();
  const tail = argument === '' ? '' : `/${encodeURIComponent(argument)}`;
  return `#/${view}${tail}${query ? `?${query}` : ''}`;
}
