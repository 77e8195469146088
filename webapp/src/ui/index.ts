/**
 * The kit every page is built from. Pages set no colours, sizes or spacing of their own: they put these together, and
 * Mantine's controls (Button, Menu, Tabs, SegmentedControl, ...) as the theme draws them.
 *
 * A page, in the usual shape:
 *
 *   const calls = useQuery(CallService.method.listCalls, { filter })            // @connectrpc/connect-query
 *   return (
 *     <Page title={t`Calls`} why={t`Every call of your sites, with its recording.`} action={<Button>…</Button>} filters={…}>
 *       <Loaded query={calls}>{(data) => <Table label={t`Calls`} columns={…} rows={data.calls} rowKey={(c) => c.id} … />}</Loaded>
 *     </Page>
 *   )
 *
 * - Loaded: skeleton after 200 ms, error with reference and retry, forbidden, content.
 * - Table: give `empty={<EmptyState title why action />}`; `onOpen` makes rows reachable by keyboard; detail opens in a SidePanel.
 * - Form: useZodForm(schema, defaults) with checks from rules.ts; a fault that names a field is shown at that field.
 * - confirm(): only before something is lost. done() / failed(): notices for what the page itself does not show.
 * - States: agentStateLook / callOutcomeLook give tone, icon and word; <StatusBadge tone icon>{i18n._(word)}</StatusBadge>.
 * - Definition: what a figure means and the calls behind it; DefinedFigure the same in a table's row; queueFigures() has
 *   the words for a queue's.
 * - Figures: StatTile (undefined is a dash, never zero; `stale` is grey), Duration m:ss (`since` runs), RelativeTime,
 *   ExactTime, PhoneNumber, CopyField, Meter.
 * - Own CSS, where a page truly needs it (call bar, wallboard, charts): a *.module.css in `@layer trunkline` using only the
 *   --tl-* variables of theme/tokens.ts: --tl-page -sunken -raised -hover -selected -line -line-strong -control -text -text-2
 *   -text-3 -accent -accent-hover -on-accent -accent-text -accent-ground -focus -danger -on-danger -shadow, per tone
 *   (ready busy after warning breach off) --tl-<tone>-text -ground -solid, charts --tl-series-0..5, rows --tl-row.
 *   For canvas charts read them with `tokensOf(scheme)`.
 *
 * From the rest of the shell:
 * - `@/api`: useMe, may(me, 'live_read'), faultOf(err), cloudTransport() (the default of connect-query's hooks),
 *   cloudClient(Service), createEdgeTransport(url, () => token), useStream(method, input, {transport, silenceMs, isNews}),
 *   at(timestamp) -> Date, appConfig() -> {role: 'cloud' | 'edge', cloudUrl, site}.
 * - `@/app/paths`: every address; link with <Link to={paths.calls}>, never a literal.
 * - Words: `useLingui()` and `<Trans>` from '@lingui/react/macro', `msg` from '@lingui/core/macro'. Chinese goes to
 *   src/i18n/locales/floor/zh-Hans.po for features/{agent,wallboard,calls,reports}, to admin/ for the rest.
 *   `CATALOG=floor npx lingui extract --clean` writes only that one; `npm run i18n:check` fails on what is missing.
 * - Pages are registered in `@/app/pages.ts`: features/agent exports DesktopPage, wallboard WallboardPage, calls CallsPage and
 *   CallPage, reports ReportsPage, each from its index.tsx. At an edge the shell shows no navigation of its own: DesktopPage
 *   fills the window, so its call bar stays through everything; use <Preferences /> for language and colour scheme.
 */
export { useAddress } from './address'
export { type ConfirmOptions, confirm } from './confirm'
export { DefinedFigure, Definition, queueFigures } from './definition'
export { EmptyState, ErrorState, Forbidden, Loaded, Skeleton, useLate } from './emptiness'
export {
  CopyButton,
  CopyField,
  Duration,
  ExactTime,
  formatDuration,
  formatExact,
  formatRelative,
  Meter,
  RelativeTime,
  StatTile,
  type StatTileProps,
  useNow,
} from './figures'
export {
  CheckboxField,
  FaultNotice,
  FieldGrid,
  FieldRow,
  Form,
  FormActions,
  fieldName,
  MultiSelectField,
  NumberField,
  PasswordField,
  SelectField,
  Submit,
  SwitchField,
  TagsField,
  TextAreaField,
  TextField,
  useFieldList,
  useZodForm,
} from './form'
export { Box, Clip, Columns, Facts, Meta, Page, type PageProps, PageSkeleton, Row, Section, SideBySide, Stack } from './layout'
export { LiveLog, type LogLine } from './live-log'
export { done, explain, failed } from './notify'
export { occupied } from './occupied'
export { Outline, type OutlineItem } from './outline'
export { SidePanel } from './panel'
export { dayOf, type Period, periodKind, periodOf, thisZone } from './period'
export { formatPhone, PhoneNumber, parsePhone } from './phone'
export { Keypad, Phone } from './phone-pad'
export { LanguageSelect, Preferences, useDensity } from './preferences'
export { UiProvider } from './provider'
export { QrImage } from './qr'
export { RoleNames, roleWords } from './roles'
export { saveFile } from './save-file'
export { agentStateLook, callOutcomeLook, type Look, nodeStatusLook, reasonWord, siteStatusLook } from './states'
export { Notice, StatusBadge, type Tone, toneIcon, toneStyle } from './status'
export { Choices, Steps } from './steps'
export { Swatch } from './swatch'
export { Switcher } from './switcher'
export { type Column, LoadMore, Table, type TableProps } from './table'
export { tokensOf } from './theme/tokens'
export { timeZones } from './zones'
