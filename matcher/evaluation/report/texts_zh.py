"""The report page's texts in Chinese (zh_CN), the language it is read in first. Keys are those of ``texts_en``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CHINESE: Final[Mapping[str, str]] = {
    # numbers
    "not_measured": "未测量",
    "never": "未出现",
    "one_in": "约{number}分之一",
    "range": "{low} 至 {high}",
    "none": "–",
    # head and answer
    "title_site": "站点“{site}”的阈值安全吗？",
    "title_collection": "阈值安全吗？测量对象：{collection}",
    "made_at": "测量时间：{date}（UTC），Muster {version}。",
    "synthetic": "合成数据：本页所有分数均由程序生成，只用来展示报告的样子，不说明任何真实的人、摄像头或指纹仪。",
    "answer_yes": "安全",
    "answer_not_shown": "尚未证明",
    "answer_no": "不安全",
    "answer_no_threshold": "没有可评判的阈值",
    "reason_below": (
        "{what}：实测 {rate}，有95%的把握不超过 {high}。容许上限为 {tolerated}，因此即使按最坏的估计，"
        "这个阈值也守得住。"
    ),
    "reason_above": (
        "{what}：实测 {rate}，有95%的把握不低于 {low}。容许上限只有 {tolerated}，因此这个阈值放过了太多人。"
    ),
    "reason_too_few": (
        "{what}：实测 {rate}，这个数本身没有问题；但参加测量的人太少，真实的错误率仍可能高达 {high}，"
        "而容许上限只有 {tolerated}。这并不表示危险，只是证据不够。"
    ),
    "reason_high": (
        "{what}：实测 {rate}，高于容许上限 {tolerated}。但人数太少，还不能排除是偶然（95%区间：{low} 至 {high}）。"
    ),
    "reason_same_comparisons": (
        "{what}：实测 {rate}，不超过 {high}，容许上限为 {tolerated}。但阈值正是用这批比对定出来的，"
        "结果会偏好；须用另一批人来证实。"
    ),
    "reason_computed": (
        "{what}：预计 {rate}，不超过 {high}，容许上限为 {tolerated}。但没有用未登记的人实际检索过，"
        "这个数是由单次比对推算的，不是实测。"
    ),
    "reason_not_measured": "没有可以用来评判这个阈值的比对，因此对它一无所知。",
    "reason_no_threshold": "这次测量没有给出正在使用的阈值，谈不上安全与否。下面的数字只说明算法本身。",
    "todo_yes": "保持现有阈值。站点人数增加四分之一、更换摄像头、指纹仪或算法之后，以及每年，都应重新测量一次。",
    "todo_not_shown": (
        "在得到证明之前，重要的决定不要只凭这一项比对：请同时要求第二种识别方式或本人编号。人数增加后再测一次。"
    ),
    "todo_no": "从今天起要求第二种识别方式，并报告矫正中心。提高阈值之前，不要再让这一项比对单独作决定。",
    "todo_no_threshold": "请指定阈值（或先为站点校准），然后重新测量。",
    "judged_row": "{row}：{answer}",
    "threshold_row": "{use}，阈值 {score}",
    "of_people_short": "人数",
    "of_fingers_short": "手指数",
    "count_people": "{count} 人",
    "count_fingers": "{count} 枚手指",
    "needed_verify": (
        "按三倍法则，即使一次错误都没有出现，也需要约 {people} 人才能证明错误率不超过 {tolerated}；"
        "若在相邻阈值上能看到足够的误认，较少的人也可以。"
    ),
    "needed_identify": (
        "按三倍法则，即使一次错误都没有出现，也需要约 {people} 名未登记的人来检索，才能证明错误率不超过 {tolerated}。"
    ),
    "alternative": (
        "就这批比对而言，阈值提高到 {score} 起，上限即在容许范围内；那时会有 {fnmr} 的本人被拒。"
        "事后挑出的数字只是提示，不是测量结果。"
    ),
    "what_verify": "不同的人两两比对而被误认为同一人",
    "what_identify": "未登记的人检索时仍被认成某人",
    "use_verify": "一比一核验",
    "use_identify": "一比多辨识",
    "modality_face": "人脸",
    "modality_finger": "指纹",
    "interval_title": "真实错误率可能所在的范围，以及容许上限",
    "axis_may_lie": "误放率，95%区间（对数刻度；越靠左越安全）",
    "legend_tolerated": "容许上限：{rate}",
    "interval_note": (
        "横条表示真实错误率有95%的把握所在的范围，圆点是实测值（空心且在最左端：一次错误也没有出现），"
        "虚线是容许上限。整条横条在虚线左边就是安全，整条在右边就是不安全。"
    ),
    # what was measured
    "measured_heading": "测量了什么",
    "of_people": "人数",
    "of_fingers": "手指数（每枚手指按一个独立的人计）",
    "engine": "算法",
    "collection": "测量对象",
    "samples": "采集次数",
    "comparisons_genuine": "同源比对（同一人）",
    "comparisons_impostor": "异源比对（不同的人）",
    "searches_mated": "已登记者的检索",
    "searches_strangers": "未登记者的检索",
    "gallery": "被检索的比对库",
    "gallery_value": "{people} 人，每人 {references} 份参考模板，抽取 {draws} 次",
    "from_people": "{count} 次，来自 {people} 人",
    "from_fingers": "{count} 次，来自 {people} 枚手指",
    "acquisition_heading": "无法使用的样本和无法登记的人",
    "fte": "登记失败率（FTE）",
    "fta": "采集失败率（FTA）",
    "term_fte": "完全做不出参考模板的人所占的比例",
    "term_fta": "没有得到可用样本的采集次数所占的比例",
    "not_recorded": "这次测量没有记录采集失败和登记失败，因此下面的错误率只针对可用的样本。",
    # rates
    "rates_heading": "现用阈值下的错误率",
    "threshold": "阈值",
    "rate": "错误率",
    "measured": "实测",
    "limits": "95%区间",
    "errors_of": "错误次数／总次数",
    "rests_on": "上限的依据",
    "fmr": "错误匹配率（FMR）",
    "fnmr": "错误不匹配率（FNMR）",
    "fpir": "错误肯定辨识率（FPIR）",
    "fnir": "错误否定辨识率（FNIR）",
    "fpir_computed": "FPIR，按 {people} 人推算",
    "eer": "等错误率（EER）",
    "eer_note": (
        "两种错误率相等之处：适合比较算法，不适合定阈值。"
        "区间来自自助抽样；观察到的错误太少时，上限取该处两种错误率的上限。"
    ),
    "term_fmr": "不同的人两两比对而被当作匹配的比例：放过了别人",
    "term_fnmr": "同一人的比对没有被当作匹配的比例：拒绝了本人",
    "term_fpir": "未登记的人检索时被认成某人的比例",
    "term_fnir": "已登记的人检索时，没有以超过阈值的第一名找到本人的比例",
    "term_eer": "FMR 与 FNMR 相等时的错误率",
    "errors": "{errors}／{trials}",
    "basis_bootstrap": "对 {people}的自助抽样",
    "basis_rule_of_three": "三倍法则（独立样本 {independent} 个）",
    "basis_exact": "二项分布上限（独立样本 {independent} 个）",
    "basis_neighbor": "取自更宽松、错误足够多的阈值",
    "basis_none": "–",
    "target_of": "设定目标 {target}，容许上限 {tolerated}；{origin}",
    "origin_site": "用本站点的人校准",
    "origin_folder": "由另一次测量定出",
    "origin_default": "算法自带的默认值",
    "origin_this": "就用这批比对定出",
    "intervals_note": (
        "区间来自以人为单位的自助抽样，共 {rounds} 轮（随机种子 {seed}）：抽到谁，"
        "就连同他的全部比对一起计入，因为涉及同一人的比对并不独立。结论只适用于同类人群和同类设备。"
    ),
    # what cannot be claimed
    "claims_heading": "人数这么少，哪些话不能说",
    "claims_rule": (
        "三倍法则：N 次独立试验一次错误也没有，真实错误率仍可能高达 3/N。两个不同的人构成一次独立的比对，"
        "因此 {people} 人对 FMR 只有 N = {pairs}，对 FNMR 有 N = {own}。"
    ),
    "claims_fmr": "即使一次误认也没有出现，凭这些人（按人计）也不能声称 FMR 低于 {limit}（{one_in}）。",
    "claims_fmr_pairs": (
        "若把每次比对都当作独立，便可声称 {limit}；但它们并不独立：一个与许多人相像的人会一下子造成许多次误认。"
    ),
    "claims_tighter": (
        "若在某个（更宽松的）阈值上看到过一些误认，就比一次也没看到更能说明问题：更严格的阈值不会错得更多。"
        "上面表中的上限就是这样得出的，前提是同类人群。"
    ),
    "claims_fnmr": "即使没有一个本人被拒，也不能声称 FNMR 低于 {limit}。",
    "claims_fpir": "凭 {people} 名未登记的人，不能声称 FPIR 低于 {limit}。",
    "claims_relatives": (
        "若这些人中没有亲属和双胞胎，则对亲属和双胞胎什么也没有说明；对其他人群、其他设备和其他季节也是如此。"
    ),
    "claims_attacks": "对照片、屏幕和假指纹什么也没有说明：呈现攻击由另一条命令测量。",
    # pictures
    "det_heading": "所有阈值一览",
    "det_title": "检测错误权衡曲线（DET）",
    "det_note": "曲线上每一点是一个阈值：往左移，放过的别人更少，被拒的本人更多。灰色带是 FNMR 的95%区间。",
    "axis_fmr": "FMR：错放他人（对数刻度）",
    "axis_fnmr": "FNMR：误拒本人（对数刻度）",
    "legend_band": "FNMR 的95%区间",
    "legend_det": "实测",
    "legend_equal": "两种错误率相等",
    "histogram_heading": "分数怎样分布",
    "histogram_title": "比对分数的直方图",
    "histogram_note": (
        "好的算法把两座“山”分开，阈值立在两山之间的谷里。斜线山在阈值右边的部分就是误认，"
        "灰色山在阈值左边的部分就是误拒。"
    ),
    "axis_score": "比对分数（越高越相像）",
    "axis_share": "占全部比对的比例",
    "legend_impostor": "不同的人",
    "legend_genuine": "同一人",
    "threshold_at": "{use}：{score}",
    "size_heading": "登记人数增加时会怎样",
    "size_title": "FPIR、FNIR 与比对库人数",
    "size_note": "每多登记一个人，陌生人就多一个可能被认错的对象，所以 FPIR 随比对库增大。阈值为 {score}。",
    "size_computed": ("空心标记：人数超出测量范围，按公式 1 − (1 − p)^n 推算，假定错误均匀分布。"),
    "size_pairs": ("实心圆点：由单次比对得出，对可从其他人中抽取的所有比对库取平均。"),
    "size_measured": "实心标记：从测量过的比对库中抽取所有较小的比对库，取其平均。",
    "axis_gallery": "登记人数（对数刻度）",
    "axis_rate": "每次检索的错误率",
    "legend_forecast": "FPIR，按公式推算",
    "legend_fpir": "FPIR，实测",
    "legend_fnir": "FNIR，实测",
    # groups, pairs, transfer
    "groups_heading": "分组结果",
    "groups_note": (
        "各组内部的错误率，阈值为 {score}。分组只用登记时记录的信息，绝不从照片猜测。分组多时，"
        "每二十组约有一组会因偶然而显得突出。"
    ),
    "groups_none": "这次测量没有记录分组，因此无法说明错误落在哪些人身上。",
    "group": "分组",
    "group_sex": "性别",
    "group_age_band": "年龄段",
    "group_office": "司法所",
    "value_female": "女",
    "value_male": "男",
    "remark": "说明",
    "group_few": "不足 {least} 人：人数太少，无法判断",
    "group_distinct": "与全体有差别，且超出偶然",
    "group_same": "没有超出偶然的差别",
    "worst_heading": "最接近出错的人",
    "worst_note": (
        "请先查看这些人：参考模板质量差的重新采集，长得像的人要求第二种识别方式。这里只列编号，姓名在登记册中查。"
    ),
    "worst_impostors": "不同的人之间分数最高的",
    "worst_genuine": "与本人自己比对分数最低的",
    "pair": "两人",
    "person": "本人",
    "score": "分数",
    "at_threshold": "按阈值（{score}）",
    "matched": "会被当作同一人",
    "not_matched": "不会被当作同一人",
    "transfer_heading": "同一阈值用在别的人群上",
    "transfer_note": "在本次测量上选定一个阈值（{score}），原样用于其他数据。能够通用的阈值，其 FMR 不变。",
    "folder": "数据",
    # how to repeat
    "repeat_heading": "怎样重复这次测量",
    "repeat_note": "用相同的命令、随机种子、权重和样本，会得到相同的数字。",
    "command": "命令",
    "seed": "随机种子",
    "weights": "权重文件（SHA-256）",
    "version": "Muster 版本",
    "no_weights": "无权重文件",
    "terms_heading": "名词解释",
    "terms_note": "术语依据 ISO/IEC 19795-1 和 ISO/IEC 2382-37。",
    "term_threshold": "比对分数达到它，两份样本就当作同一人的",
    "term_interval": "这样的测量做100次，约有95次真实的错误率落在这个范围内",
    "term_mated": "两份样本来自同一人（同源），或来自不同的人（异源）",
    "term_gallery": "检索时所查的全部参考模板，即本站点登记的人",
    "word_threshold": "阈值",
    "word_interval": "95%区间",
    "word_mated": "同源、异源",
    "word_gallery": "比对库",
}
