//! One of each refusal, for the tests of everything that words or carries them.

use super::{Lacking, Refusal, Thing, Unmodelled, Why};
use crate::cgroup::{BadGroup, BadWrite, Controller};
use crate::limits;
use crate::message::{Because, Feature, Missing, Profile};
use crate::role::Role;
use crate::spec::{Quantity, SpecError};

/// At least one of every variant, of those inside it too.
pub fn samples() -> Vec<Refusal> {
    let mut all = vec![
        Refusal::ProfileOff { profile: Profile::Lab },
        Refusal::Unreadable { detail: "3 bytes too many".into() },
    ];
    all.extend(
        [Role::Teacher, Role::Student, Role::Viewer].map(|role| Refusal::NotAllowed { role }),
    );
    all.extend(Thing::ALL.map(|what| Refusal::Unknown { what }));
    all.extend(Thing::ALL.map(|what| Refusal::NotRunning { what }));
    all.extend(limits::ALL.iter().map(|&limit| Refusal::Limit(limit.into())));
    all.push(Refusal::TooFast(limits::COMMAND_RATE.into()));
    all.extend(specs().into_iter().map(Refusal::Spec));
    all.extend(writes().into_iter().map(Refusal::Write));
    all.extend(groups().into_iter().map(Refusal::Group));
    all.extend(WHYS.map(kernel));
    all.extend(lacking().into_iter().map(|what| Refusal::Missing { what }));
    all.extend(
        [
            Unmodelled::User,
            Unmodelled::Clocks,
            Unmodelled::ProcView,
            Unmodelled::File { file: "cpu.idle".into() },
        ]
        .map(|what| Refusal::NotModelled { what }),
    );
    all
}

const WHYS: [Why; 9] = [
    Why::Unknown,
    Why::ChildAboveParent,
    Why::ParentBelowChild,
    Why::InUse,
    Why::HasProcesses,
    Why::HasChildren,
    Why::Exists,
    Why::HandsOut,
    Why::NoCpus,
];

/// The kernel's refusal of a quota, for this reason.
fn kernel(why: Why) -> Refusal {
    Refusal::Kernel {
        file: "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us".into(),
        text: "200000".into(),
        errno: "EINVAL".into(),
        why,
    }
}

fn specs() -> Vec<SpecError> {
    let mut all = vec![
        SpecError::NoProgram,
        SpecError::Nul,
        SpecError::RemountNeedsMount,
        SpecError::HostnameNeedsUts,
        SpecError::OffsetNeedsTime,
        SpecError::ViewNeedsRemount,
        SpecError::LxcfsNeedsPid,
        SpecError::Hostname { given: "1 2".into() },
        SpecError::User { given: "1 2".into() },
        SpecError::Workdir { given: "1".into() },
        SpecError::MachineTakesNone,
        SpecError::OnlyByRun,
        SpecError::ImageName { given: "../1".into() },
        SpecError::CpuList { given: "1-0".into() },
    ];
    let out = |what| SpecError::OutOfRange { what, given: 0, min: 1, max: 2 };
    all.extend(Quantity::ALL.map(out));
    all
}

fn writes() -> Vec<BadWrite> {
    let value = |file: &str, allowed: &str| BadWrite::Value {
        file: file.into(),
        given: "?".into(),
        allowed: allowed.into(),
    };
    vec![
        BadWrite::UnknownFile { file: "1.2".into() },
        BadWrite::ReadOnly { file: "cpu.stat".into() },
        BadWrite::Cap,
        BadWrite::SwapNotCounted { given: "60".into() },
        value("cpu.cfs_period_us", "1000 to 1000000 µs"),
        value("1.2", "something in English"),
    ]
}

fn groups() -> Vec<BadGroup> {
    vec![
        BadGroup::Name { given: "../1".into() },
        BadGroup::Cap,
        BadGroup::Fixed,
        BadGroup::OfContainer,
        BadGroup::NotOwn { pid: 1 },
    ]
}

fn lacking() -> Vec<Lacking> {
    let feature = |feature, because, mend: &str| {
        Lacking::Feature(Missing { feature, because, mend: mend.into() })
    };
    let mut all = vec![
        Lacking::OnlyV2 { file: "memory.high".into() },
        Lacking::Lxcfs,
        Lacking::Image { name: "1".into() },
        Lacking::BlockDevice { major: 8, minor: 99 },
    ];
    all.extend(FEATURES.map(|one| feature(one, Because::NotMounted, "")));
    all.extend(Controller::ALL.map(|one| feature(Feature::Controller(one), Because::Kernel, "")));
    all.extend(BECAUSE.map(|because| feature(Feature::Busybox, because, "sudo vitrine serve")));
    all
}

/// Every feature that is no controller.
pub const FEATURES: [Feature; 7] = [
    Feature::OwnIds,
    Feature::ManyIds,
    Feature::IdMappedMounts,
    Feature::ServiceUsers,
    Feature::Landlock,
    Feature::Busybox,
    Feature::TimeNamespaces,
];

const BECAUSE: [Because; 9] = [
    Because::Kernel,
    Because::NotMounted,
    Because::NotDelegated,
    Because::NoSubIds,
    Because::NoNewIdMap,
    Because::NotRoot,
    Because::NotInstalled,
    Because::FileSystem,
    Because::NotModelled,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pattern is met by a sample; a variant without a pattern does not compile.
    macro_rules! each {
        ($all:expr; $($pattern:pat),+ $(,)?) => {
            $(assert!($all.iter().any(|one| matches!(one, $pattern)), "{}", stringify!($pattern));)+
            for one in &$all {
                match one {
                    $($pattern => {})+
                }
            }
        };
    }

    #[test]
    fn every_variant_has_a_sample() {
        each!(samples();
            Refusal::NotAllowed { .. }, Refusal::Unknown { .. }, Refusal::Limit(_),
            Refusal::TooFast(_), Refusal::Spec(_), Refusal::Write(_), Refusal::Group(_),
            Refusal::Kernel { .. }, Refusal::ProfileOff { .. }, Refusal::NotRunning { .. },
            Refusal::Missing { .. }, Refusal::Unreadable { .. }, Refusal::NotModelled { .. },
        );
        each!(WHYS;
            Why::Unknown, Why::ChildAboveParent, Why::ParentBelowChild, Why::InUse,
            Why::HasProcesses, Why::HasChildren, Why::Exists, Why::HandsOut, Why::NoCpus,
        );
        each!(specs();
            SpecError::NoProgram, SpecError::Nul, SpecError::RemountNeedsMount,
            SpecError::HostnameNeedsUts, SpecError::OffsetNeedsTime, SpecError::ViewNeedsRemount,
            SpecError::LxcfsNeedsPid, SpecError::Hostname { .. },
            SpecError::User { .. }, SpecError::Workdir { .. },
            SpecError::MachineTakesNone, SpecError::OnlyByRun, SpecError::ImageName { .. },
            SpecError::CpuList { .. }, SpecError::OutOfRange { .. },
        );
        each!(writes();
            BadWrite::UnknownFile { .. }, BadWrite::ReadOnly { .. }, BadWrite::Cap,
            BadWrite::SwapNotCounted { .. }, BadWrite::Value { .. },
        );
        each!(groups();
            BadGroup::Name { .. }, BadGroup::Cap, BadGroup::Fixed, BadGroup::OfContainer,
            BadGroup::NotOwn { .. },
        );
        each!(lacking();
            Lacking::Feature(_), Lacking::OnlyV2 { .. }, Lacking::Lxcfs, Lacking::Image { .. },
            Lacking::BlockDevice { .. },
        );
        each!(FEATURES.into_iter().chain([Feature::Controller(Controller::Cpu)]).collect::<Vec<_>>();
            Feature::Controller(_), Feature::OwnIds, Feature::ManyIds, Feature::IdMappedMounts,
            Feature::ServiceUsers, Feature::Landlock, Feature::Busybox, Feature::TimeNamespaces,
        );
        each!(BECAUSE;
            Because::Kernel, Because::NotMounted, Because::NotDelegated, Because::NoSubIds,
            Because::NoNewIdMap, Because::NotRoot, Because::NotInstalled, Because::FileSystem,
            Because::NotModelled,
        );
    }
}
