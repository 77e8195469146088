/** Everything before the sign-in: sign-up, confirmation, sign-in, password reset, invitations. */
export { ConfirmPage } from './confirm'
export { ConfirmEmailPage } from './confirm-email'
export { ForgotPage, ResetPage } from './forgot'
export { InvitationPage } from './invitation'
export { SignInPage } from './sign-in'
export { SignUpPage } from './sign-up'
