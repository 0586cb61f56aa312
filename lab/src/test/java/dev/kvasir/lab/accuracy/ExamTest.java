package dev.kvasir.lab.accuracy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidInputException;
import dev.kvasir.lab.task.ManyShot;
import dev.kvasir.lab.task.Task;
import dev.kvasir.lab.task.Tasks;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExamTest {
    @Test
    void everyNameLeadsBackToItsExam() {
        for (Task task : Tasks.all()) {
            for (Way way : Way.values()) {
                Exam exam = Exam.byName(new Exam(task, way).name());
                assertThat(exam.way()).isEqualTo(way);
                assertThat(exam.task()).hasSameClassAs(task);
            }
        }
        assertThat(Exam.byName("labelling:turns").name()).isEqualTo("many-shot:turns");
        assertThat(Exam.byName("many-shot").task()).isInstanceOf(ManyShot.class);
    }

    @Test
    void turnsStandBesideTheirTask() {
        assertThat(Exam.defaults().stream().map(Exam::name))
                .containsExactly(
                        "retrieval", "retrieval:turns", "two-hop", "two-hop:turns", "arithmetic", "many-shot", "facts");
    }

    @Test
    void namesWhatIsAllowedForWhatIsNot() {
        for (String name : List.of("retrieval:turn", "retrieval:", "retrieval:turns:turns")) {
            assertThatThrownBy(() -> Exam.byName(name))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining("'" + name + "'")
                    .hasMessageContaining("retrieval, retrieval:turns, retrieval:requests");
        }
        assertThatThrownBy(() -> Exam.byName("retreival:turns"))
                .isInstanceOf(InvalidInputException.class)
                .hasMessageContaining("did you mean 'retrieval'");
    }
}
