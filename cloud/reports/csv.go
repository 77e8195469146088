package reports

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// QueueReportCsv is QueueReport as a file: the same rows, the same figures.
func (s *Service) QueueReportCsv(ctx context.Context, req *cloudv1.QueueReportRequest) (*cloudv1.CsvResponse, error) {
	rep, err := s.QueueReport(ctx, req)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(rep.GetTimeZone())
	if err != nil {
		zone = time.UTC
	}
	var b bytes.Buffer
	b.WriteString("\uFEFF") // spreadsheets then read it as UTF-8
	w := csv.NewWriter(&b)
	_ = w.Write([]string{
		"from", "to", "UTC offset", "queue", "offered", "answered", "answered in level", "abandoned", "abandoned short", "other",
		"service level %", "abandonment %", "ASA s", "AHT s", "longest wait s", "failed",
	})
	for _, r := range rep.GetRows() {
		_ = w.Write(csvRow(r, zone))
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("queues-%s.csv", req.GetFrom().AsTime().In(zone).Format("2006-01-02"))
	return &cloudv1.CsvResponse{FileName: name, Csv: b.Bytes()}, nil
}

func csvRow(r *cloudv1.QueueReportRow, zone *time.Location) []string {
	f := r.GetFigures()
	from := r.GetFrom().AsTime().In(zone)
	row := []string{
		// The offset tells apart the hours a clock that is put back shows twice.
		from.Format(time.DateTime), r.GetTo().AsTime().In(zone).Format(time.DateTime), from.Format("-07:00"),
		plain(cmp.Or(r.GetQueueName(), r.GetQueueId())),
	}
	for _, n := range []uint64{f.GetOffered(), f.GetAnswered(), f.GetAnsweredInLevel(), f.GetAbandoned(), f.GetAbandonedShort(), f.GetOther()} {
		row = append(row, fmt.Sprint(n))
	}
	return append(row, scaled(int64(f.GetServiceLevelPm()), 10), scaled(int64(f.GetAbandonmentPm()), 10),
		scaled(f.GetAsaMs(), 1000), scaled(f.GetAhtMs(), 1000), scaled(f.GetMaxWaitMs(), 1000), fmt.Sprint(f.GetFailed()))
}

// scaled writes a figure, nothing where nothing counts.
func scaled(v int64, by float64) string {
	if v < 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(v)/by)
}

// plain keeps a spreadsheet from taking a name for a formula.
func plain(s string) string {
	if strings.ContainsAny(s[:min(1, len(s))], "=+-@\t\r") {
		return "'" + s
	}
	return s
}
