"""Courses, runs, programs and enrollments."""

from courses.models.comparison import EnrollmentComparison, EnrollmentDifference
from courses.models.course import Course, CourseQuerySet, Department, Topic
from courses.models.enrollment import Enrollment, EnrollmentGrant, EnrollmentQuerySet, ProgramEnrollment
from courses.models.program import Program, ProgramRequirement
from courses.models.run import CourseRun, CourseRunQuerySet
from courses.models.staff import CourseStaff

__all__ = [
    "Course",
    "CourseQuerySet",
    "CourseRun",
    "CourseRunQuerySet",
    "CourseStaff",
    "Department",
    "Enrollment",
    "EnrollmentComparison",
    "EnrollmentDifference",
    "EnrollmentGrant",
    "EnrollmentQuerySet",
    "Program",
    "ProgramEnrollment",
    "ProgramRequirement",
    "Topic",
]
