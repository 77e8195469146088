package prompts

import "strconv"

// text is one spoken prompt: what a person reads on the screen, and what the
// speech program is given where that differs. Chinese is given as pinyin with
// tones: eSpeak reads characters one by one and many of them wrong.
type text struct {
	name   string
	text   string
	spoken string
}

// Texts of the included prompts, by language. Each language has the same names.
var texts = map[string][]text{
	"en": append(numbers("en"),
		text{name: "greeting", text: "Hello, and thank you for calling."},
		text{name: "main_menu", text: "For support, press 1. For sales, press 2. To hear this again, please wait."},
		text{name: "invalid_choice", text: "Sorry, that is not one of the choices."},
		text{name: "please_wait", text: "Please hold the line. The next free colleague will be with you."},
		text{name: "position_prefix", text: "You are number"},
		text{name: "position_suffix", text: "in the queue."},
		text{name: "nobody_available", text: "Unfortunately nobody is available right now. Please try again later. Goodbye."},
		text{name: "suspended_notice", text: "This number is not in service at the moment. Goodbye."},
		text{name: "test_call_notice", text: "This is a test call. Your telephone system works."},
		text{name: "overload", text: "All lines are busy. Please try again in a few minutes."},
	),
	"zh-Hans": append(numbers("zh-Hans"),
		text{"greeting", "您好，感谢您的来电。", "nin2 hao3, gan3 xie4 nin2 de5 lai2 dian4."},
		text{
			"main_menu", "技术支持请按一，销售请按二，重听请稍候。",
			"ji4 shu4 zhi1 chi2, qing3 an4 yi1. xiao1 shou4, qing3 an4 er4. chong2 ting1, qing3 shao1 hou4.",
		},
		text{"invalid_choice", "对不起，您的选择无效。", "dui4 bu5 qi3, nin2 de5 xuan3 ze2 wu2 xiao4."},
		text{
			"please_wait", "请稍候，下一位空闲的同事将为您服务。",
			"qing3 shao1 hou4, xia4 yi2 wei4 kong4 xian2 de5 tong2 shi4, jiang1 wei4 nin2 fu2 wu4.",
		},
		text{"position_prefix", "您排在第", "nin2 pai2 zai4 di4"},
		text{"position_suffix", "位。", "wei4."},
		text{
			"nobody_available", "很抱歉，目前无人接听，请稍后再拨。再见。",
			"hen3 bao4 qian4, mu4 qian2 wu2 ren2 jie1 ting1, qing3 shao1 hou4 zai4 bo1. zai4 jian4.",
		},
		text{
			"suspended_notice", "您拨打的号码暂停服务。再见。",
			"nin2 bo1 da3 de5 hao4 ma3, zan4 ting2 fu2 wu4. zai4 jian4.",
		},
		text{
			"test_call_notice", "这是一次测试通话。您的电话系统工作正常。",
			"zhe4 shi4 yi2 ci4 ce4 shi4 tong1 hua4. nin2 de5 dian4 hua4 xi4 tong3, gong1 zuo4 zheng4 chang2.",
		},
		text{
			"overload", "线路繁忙，请几分钟后再拨。",
			"xian4 lu4 fan2 mang2, qing3 ji3 fen1 zhong1 hou4 zai4 bo1.",
		},
	),
}

// voices are the eSpeak voices of the languages.
var voices = map[string]string{"en": "en-us", "zh-Hans": "cmn-latn-pinyin"}

// sounds are the same in every language: a signal, two loops of music, a ringing tone.
var sounds = []text{
	{name: "beep", text: "A short tone"},
	{name: "music", text: "Waiting music"},
	{name: "hold_music", text: "Hold music"},
	{name: "ringback", text: "Ringing tone"},
}

// highestNumber is the last of number_1, number_2, ...
const highestNumber = 20

func numbers(language string) []text {
	digits := [...]string{"", "yi1", "er4", "san1", "si4", "wu3", "liu4", "qi1", "ba1", "jiu3"}
	signs := [...]string{"", "一", "二", "三", "四", "五", "六", "七", "八", "九"}
	all := make([]text, 0, highestNumber+10)
	for n := 1; n <= highestNumber; n++ {
		t := text{name: "number_" + strconv.Itoa(n), text: strconv.Itoa(n)}
		if language == "zh-Hans" {
			t.text, t.spoken = signs[n%10], digits[n%10]
			if n >= 10 {
				t.text, t.spoken = "十"+t.text, "shi2 "+t.spoken
			}
			if n >= 20 {
				t.text, t.spoken = signs[n/10]+t.text, digits[n/10]+" "+t.spoken
			}
		}
		all = append(all, t)
	}
	return all
}
