// Where in the page we are, as a store that follows the address.
import { Store } from './store';
import { formatPlace, parsePlace, type Place, type ViewName } from './url';

export const place = new Store<Place>(parsePlace(location.hash));

addEventListener('hashchange', () => {
  place.set(parsePlace(location.hash));
});

export function go(view: ViewName, argument: string | number = '', params?: URLSearchParams | Record<string, string>): void {
  location.hash = formatPlace(view, argument, params);
}

/** The address says what is seen, so that it can be shared; nothing is drawn anew, and "back" leads to where one was before. */
export function rewrite(change: (params: URLSearchParams) => void): void {
  const here = parsePlace(location.hash);
  change(here.params);
  history.replaceState(null, '', formatPlace(here.view, here.argument, here.params));
}
