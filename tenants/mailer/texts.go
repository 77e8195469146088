package mailer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Text names one mail.
type Text string

// The mails there are.
const (
	ConfirmSignUp     Text = "confirm_sign_up"     // company, link, code
	AlreadySignedUp   Text = "already_signed_up"   // link (sign in), reset
	ResetPassword     Text = "reset_password"      // link
	PasswordChanged   Text = "password_changed"    // reset
	ConfirmNewEmail   Text = "confirm_new_email"   // link, code
	EmailChanged      Text = "email_changed"       // email (the new one)
	Invitation        Text = "invitation"          // company, inviter, link
	FactorsReset      Text = "factors_reset"       // company, link (account page)
	CookieReused      Text = "cookie_reused"       // link (account page)
	AddedSecondStep   Text = "added_second_step"   // link (account page)
	RemovedSecondStep Text = "removed_second_step" // link (account page)
)

// Params fill a text's {placeholders}.
type Params map[string]string

type words struct{ subject, body string }

var texts = map[Text]map[string]words{
	ConfirmSignUp: {
		"en": {"Confirm your e-mail address", `Welcome to Trunkline.

To finish signing up {company}, open this link:

{link}

or type this code on the page that is waiting for it: {code}

Link and code work for 24 hours. If you did not sign up, ignore this mail: nothing happens without the link.`},
		"zh-Hans": {"请确认您的邮箱地址", `欢迎使用 Trunkline。

要完成“{company}”的注册，请打开以下链接：

{link}

或在等待输入的页面上输入验证码：{code}

链接和验证码 24 小时内有效。如果您没有注册，请忽略此邮件：不打开链接就不会有任何变化。`},
	},
	AlreadySignedUp: {
		"en": {"You already have an account", `Somebody, probably you, tried to sign up with this address. There is an account with it already.

Sign in: {link}

Forgot your password? {reset}

If it was not you, there is nothing to do.`},
		"zh-Hans": {"您已经有账号了", `有人（可能是您本人）尝试用此邮箱注册。该邮箱已有账号。

登录：{link}

忘记密码？{reset}

如果不是您本人操作，无需处理。`},
	},
	ResetPassword: {
		"en": {"Choose a new password", `To choose a new password, open this link within an hour:

{link}

It works once. If you did not ask for it, ignore this mail: your password stays as it is.`},
		"zh-Hans": {"设置新密码", `请在一小时内打开以下链接设置新密码：

{link}

链接只能使用一次。如果您没有申请，请忽略此邮件：您的密码不会改变。`},
	},
	PasswordChanged: {
		"en": {"Your password was changed", `The password of your account was changed, and other devices were signed out.

If it was not you, choose a new password now: {reset}`},
		"zh-Hans": {"您的密码已修改", `您账号的密码已修改，其他设备已退出登录。

如果不是您本人操作，请立即设置新密码：{reset}`},
	},
	ConfirmNewEmail: {
		"en": {"Confirm your new e-mail address", `To use this address for your account from now on, open this link within 24 hours:

{link}

or type this code on the page that is waiting for it: {code}

If you did not ask for it, ignore this mail.`},
		"zh-Hans": {"请确认您的新邮箱地址", `要将此邮箱用于您的账号，请在 24 小时内打开以下链接：

{link}

或在等待输入的页面上输入验证码：{code}

如果您没有申请，请忽略此邮件。`},
	},
	EmailChanged: {
		"en": {"Your e-mail address was changed", `From now on you sign in with {email}. This address is no longer used.

If it was not you, tell an administrator of your company at once.`},
		"zh-Hans": {"您的邮箱地址已更改", `从现在起请使用 {email} 登录。此邮箱不再使用。

如果不是您本人操作，请立即通知贵公司的管理员。`},
	},
	Invitation: {
		"en": {"{inviter} invites you to {company}", `{inviter} invites you to join {company} on Trunkline.

Accept the invitation within 7 days:

{link}

If you do not know {company}, ignore this mail.`},
		"zh-Hans": {"{inviter} 邀请您加入“{company}”", `{inviter} 邀请您加入 Trunkline 上的“{company}”。

请在 7 天内接受邀请：

{link}

如果您不认识“{company}”，请忽略此邮件。`},
	},
	FactorsReset: {
		"en": {"Your second sign-in step was removed", `An administrator of {company} removed the authenticator app, recovery codes and passkeys of your account, and signed you out everywhere. Your password stays.

Set up a second step again: {link}

If you did not ask for this, tell your company at once.`},
		"zh-Hans": {"您的登录第二步验证已被移除", `“{company}”的管理员移除了您账号的身份验证器、恢复码和通行密钥，并使您在所有设备上退出登录。您的密码不变。

重新设置第二步验证：{link}

如果您没有提出此要求，请立即通知贵公司。`},
	},
	CookieReused: {
		"en": {"A session of yours was ended", `A sign-in of yours was used from two places, as happens when somebody copies it. We ended it to be safe.

If you wonder why, sign out everywhere and choose a new password: {link}`},
		"zh-Hans": {"您的一个登录会话已终止", `您的一个登录会话在两处被使用，可能有人复制了它。为安全起见，我们已将其终止。

如有疑问，请在所有设备上退出登录并设置新密码：{link}`},
	},
	AddedSecondStep: {
		"en": {"A second sign-in step was added", `Your account now has a new authenticator app or passkey.

If it was not you, look at your account now: {link}`},
		"zh-Hans": {"已添加登录第二步验证", `您的账号已添加新的身份验证器或通行密钥。

如果不是您本人操作，请立即查看您的账号：{link}`},
	},
	RemovedSecondStep: {
		"en": {"A second sign-in step was removed", `An authenticator app or passkey was removed from your account.

If it was not you, look at your account now: {link}`},
		"zh-Hans": {"已移除登录第二步验证", `您的账号已移除一个身份验证器或通行密钥。

如果不是您本人操作，请立即查看您的账号：{link}`},
	},
}

var signature = map[string]string{"en": "\n\nTrunkline\n", "zh-Hans": "\n\nTrunkline\n"}

// render fills a text in a language, English if there is no such. Values are put
// on one line, so that a company's name cannot write a mail of its own.
func (t Text) render(language string, params Params) (subject, body string, err error) {
	in, ok := texts[t]
	if !ok {
		return "", "", fmt.Errorf("no mail text %q", t)
	}
	w, ok := in[language]
	if !ok {
		language = "en"
		w = in[language]
	}
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, "{"+k+"}", oneLine(params[k]))
	}
	r := strings.NewReplacer(pairs...)
	subject, body = r.Replace(w.subject), r.Replace(w.body)+signature[language]
	return subject, body, nil
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
