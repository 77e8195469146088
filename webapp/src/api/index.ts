/** The one door to the servers: session, transports, permissions and what to say when something fails. */
export { type CallAddress, callAddress, callFilter, listOf, outcomes } from './call-filter'
export { type AppConfig, appConfig, loadAppConfig } from './config'
export { type FaultView, faultOf } from './fault'
export type { MeResponse } from './gen/trunkline/access/v1/access_pb'
export { may, type Permission, permissionsOf, type Role, roleNames } from './permissions'
export { policyAllows, reloadForNewNodes } from './policy'
export {
  acceptSession,
  accessToken,
  refreshSession,
  type Session,
  sessionReady,
  sessionStore,
  signOut,
  updateMe,
  useMe,
  useSession,
} from './session'
export { type StreamState, useStream } from './stream'
export { at, fromDate, millis, type Timestamp } from './time'
export { cloudClient, cloudTransport, createEdgeTransport } from './transport'
