"""The words of the notice, by version and language: what a person is told before anything is captured.

Owns the text, which is a document with a version and not a screen's wording: a new text gets a new version, and the
record of who was told what (``enrollment.notice``) names it. Refuses layout.
"""

from __future__ import annotations

NOTICE_VERSION = "2026-1"

_TITLES = {"zh_CN": "人脸和指纹登记告知书", "en": "Notice on enrolling face and fingers"}

_LINES: dict[str, tuple[str, ...]] = {
    "zh_CN": (
        "登记的是您的人脸和手指的特征数据，照片和指纹图像看完就丢弃，不保存。",
        "特征数据只用来在签到时认出您本人，不作别的用途。",
        "特征数据加密保存在县社区矫正中心和本地点的签到终端，不上互联网，不给别的单位。",
        "矫正期满或解除后删除；照片、指纹变化大时可以重新登记。",
        "您可以不登记人脸，改用手指；都不方便的，由工作人员当面确认签到。",
        "认不出来不等于您没有来，也不算违规，由工作人员当面处理。",
        "您可以查看自己的签到记录，认为有错可以要求更正，也可以向县司法局或检察院反映。",
    ),
    "en": (
        "What is enrolled is a description of your face and fingers in numbers. Pictures are looked at and not kept.",
        "It serves to recognize you when you check in, and nothing else.",
        "It is kept encrypted at the county's correction center and in the kiosks of this site. It never goes to the "
        "internet or to anybody else.",
        "It is erased when your term ends. If your face or fingers change, you can be enrolled again.",
        "You need not enroll your face: a finger will do. If neither is possible, staff confirm in person that you "
        "came.",
        "Not being recognized does not mean that you did not come, and is no violation. Staff will see to it.",
        "You may see your own records, have mistakes corrected, and turn to the county justice bureau or the "
        "procuratorate.",
    ),
}


def notice_title(language: str) -> str:
    """The title in ``language`` (zh_CN or en; anything else: zh_CN)."""
    return _TITLES.get(language, _TITLES["zh_CN"])


def notice_lines(language: str) -> tuple[str, ...]:
    """One sentence or two each, to be shown and read aloud."""
    return _LINES.get(language, _LINES["zh_CN"])


def slip_lines(language: str) -> tuple[str, ...]:
    """The notice on paper: numbered, the version last."""
    numbered = (f"{place}. {line}" for place, line in enumerate(notice_lines(language), start=1))
    return (*numbered, f"{'版本' if language == 'zh_CN' else 'Version'} {NOTICE_VERSION}")
